-- Provisioning templates. last_version grows for ever: numbers of versions are
-- never reused.
CREATE TABLE provisioning_templates (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    description TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    role_arn TEXT NOT NULL,
    hook_version TEXT NOT NULL,
    hook_target TEXT NOT NULL,
    default_version BIGINT NOT NULL,
    last_version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE provisioning_template_versions (
    account TEXT NOT NULL,
    template TEXT NOT NULL,
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account, template, version)
);

-- Certificate ownership tokens, by the hash of the token.
CREATE TABLE ownership_tokens (
    account TEXT NOT NULL,
    hash TEXT NOT NULL,
    certificate TEXT NOT NULL,
    expires BIGINT NOT NULL,
    busy_until BIGINT NOT NULL,
    PRIMARY KEY (account, hash)
) WITHOUT ROWID;

CREATE INDEX ownership_tokens_by_end ON ownership_tokens (account, expires, hash);

-- The template that a claim certificate is for; the certificates are pki's.
CREATE TABLE provisioning_claims (
    account TEXT NOT NULL,
    certificate TEXT NOT NULL,
    template TEXT NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (account, certificate)
) WITHOUT ROWID;

CREATE INDEX provisioning_claims_by_end ON provisioning_claims (account, expires);

CREATE TABLE registration_tasks (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    template_body TEXT NOT NULL,
    bucket TEXT NOT NULL,
    object_key TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT NOT NULL,
    successes BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    percent BIGINT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX registration_tasks_by_age ON registration_tasks (account, created, id);

CREATE INDEX registration_tasks_by_status ON registration_tasks (account, status, created, id);
