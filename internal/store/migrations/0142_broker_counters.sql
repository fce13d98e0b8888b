-- Numbers that must not begin anew with the server: each is above all that were
-- given out.
CREATE TABLE broker_counters (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
