-- Refusals and disconnects, newest with the highest number. event is the last of
-- them as JSON; times says how often it happened since then.
CREATE TABLE journal (
    account TEXT NOT NULL,
    number BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    cause TEXT NOT NULL,
    since BIGINT NOT NULL,
    times BIGINT NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (account, number)
);

CREATE INDEX journal_by_client ON journal (account, client_id, number);

CREATE INDEX journal_by_principal ON journal (account, principal, number);

CREATE INDEX journal_by_cause ON journal (account, cause, number);
