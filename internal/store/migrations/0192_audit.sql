-- Who changed what, the newest with the highest number.
CREATE TABLE audit (
    account TEXT NOT NULL,
    number BIGINT NOT NULL,
    who TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (account, number)
);

CREATE INDEX audit_by_who ON audit (account, who, number);
