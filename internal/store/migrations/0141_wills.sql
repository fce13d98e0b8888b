-- Last wills of clients that are connected, and those that wait for their delay. due
-- is 0 while the client is connected; delay is in milliseconds too. id tells apart
-- the wills of one client's connections.
CREATE TABLE wills (
    account TEXT NOT NULL,
    client_id TEXT NOT NULL,
    id TEXT NOT NULL,
    delay BIGINT NOT NULL,
    due BIGINT NOT NULL,
    head BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (account, client_id)
);
