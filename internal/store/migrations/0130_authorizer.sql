-- Custom authorizers and domain configurations.
CREATE TABLE authorizers (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    function_arn TEXT NOT NULL,
    token_key TEXT NOT NULL,
    public_keys TEXT NOT NULL,
    status TEXT NOT NULL,
    signing_disabled BOOLEAN NOT NULL,
    http_caching BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE INDEX authorizers_by_status ON authorizers (account, status, name);

CREATE TABLE default_authorizers (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (account)
) WITHOUT ROWID;

CREATE TABLE domain_configurations (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
