-- Firings of rules that an acknowledgement has promised, in the order of their
-- numbers. A message that several rules wait for is a row of rule_messages, under
-- the same number; the others are in the row of their firing. The rows are long,
-- so they stand in the order of arrival and not in that of the key; bytes, the
-- length of the payload, ends the key so that counting and adding up reads the
-- key alone.
CREATE TABLE rule_firings (
    account TEXT NOT NULL,
    rule TEXT NOT NULL,
    number BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    shared BOOLEAN NOT NULL,
    arrived BIGINT NOT NULL,
    head BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (account, rule, number, bytes)
);

-- Who still waits for a message of rule_messages.
CREATE INDEX rule_firings_by_message ON rule_firings (account, number) WHERE shared;

-- Messages that several rules wait for. Each goes with the last of its firings.
CREATE TABLE rule_messages (
    account TEXT NOT NULL,
    number BIGINT NOT NULL,
    head BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (account, number)
);
