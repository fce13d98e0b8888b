-- What an account sets for all of it, one JSON document a row, and how much is
-- logged of whom.
CREATE TABLE account_settings (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE log_levels (
    account TEXT NOT NULL,
    target_type TEXT NOT NULL,
    target_name TEXT NOT NULL,
    level TEXT NOT NULL,
    PRIMARY KEY (account, target_type, target_name)
) WITHOUT ROWID;
