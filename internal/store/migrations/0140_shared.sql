-- Messages on their way to a group of a shared subscription. A message leaves when
-- a member has acknowledged it. filter is the whole of it, $share/ included; until
-- is in milliseconds, 0 for ever.
CREATE TABLE shared_messages (
    account TEXT NOT NULL,
    filter TEXT NOT NULL,
    number BIGINT NOT NULL,
    until BIGINT NOT NULL,
    head BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (account, filter, number)
);

CREATE INDEX shared_messages_by_end ON shared_messages (account, until) WHERE until <> 0;
