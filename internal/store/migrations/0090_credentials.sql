-- Role aliases. The duration is in seconds.
CREATE TABLE role_aliases (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    duration BIGINT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
