-- Facts about the installation itself: one row a fact.
CREATE TABLE settings (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
