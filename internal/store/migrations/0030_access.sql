-- IoT policies. last_version grows for ever: IDs of versions are never reused.
CREATE TABLE policies (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    generation TEXT NOT NULL,
    default_version BIGINT NOT NULL,
    last_version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE INDEX policies_by_time ON policies (account, created, name);

CREATE TABLE policy_versions (
    account TEXT NOT NULL,
    policy TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account, policy, version)
) WITHOUT ROWID;

-- A target is the ARN of a certificate or thing group, or a Cognito identity.
CREATE TABLE policy_attachments (
    account TEXT NOT NULL,
    target TEXT NOT NULL,
    policy TEXT NOT NULL,
    PRIMARY KEY (account, target, policy)
) WITHOUT ROWID;

CREATE INDEX policy_attachments_by_policy ON policy_attachments (account, policy, target);
