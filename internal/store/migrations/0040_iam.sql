CREATE TABLE iam_users (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE iam_roles (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    id TEXT NOT NULL,
    trust TEXT NOT NULL,
    description TEXT NOT NULL,
    session_max BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, name)
);

-- Managed policies.
CREATE TABLE iam_policies (
    account TEXT NOT NULL,
    arn TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, arn)
);
CREATE UNIQUE INDEX iam_policies_by_name ON iam_policies (account, name);

-- Policies that belong to one user or role. The kind is user or role.
CREATE TABLE iam_inline_policies (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, kind, owner, name)
);

CREATE TABLE iam_attachments (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (account, kind, owner, policy_arn)
) WITHOUT ROWID;
CREATE INDEX iam_attachments_by_policy ON iam_attachments (account, policy_arn);

-- The user is empty for the root's keys. Secrets may be sealed.
CREATE TABLE iam_access_keys (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    secret BYTEA NOT NULL,
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE INDEX iam_access_keys_by_user ON iam_access_keys (account, user_name, created_at);

-- Temporary credentials.
CREATE TABLE iam_sessions (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    secret BYTEA NOT NULL,
    token_hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    policies TEXT NOT NULL,
    policy_arns TEXT NOT NULL,
    context TEXT NOT NULL,
    certificate TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX iam_sessions_by_end ON iam_sessions (account, expires_at);
CREATE INDEX iam_sessions_by_certificate ON iam_sessions (account, certificate) WHERE certificate <> '';
