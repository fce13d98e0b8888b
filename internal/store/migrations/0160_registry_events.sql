-- Registry events on their way: written with the deed, deleted when published.
-- Times are milliseconds since 1970.
CREATE TABLE registry_events (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    kept BIGINT NOT NULL,
    topic TEXT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;

CREATE INDEX registry_events_by_age ON registry_events (account, kept, id);
