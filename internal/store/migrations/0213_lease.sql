-- Who of several servers does what is to be done by one, until when, and the how
-- manieth holder it is (package lease).
CREATE TABLE leases (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    fence BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);
