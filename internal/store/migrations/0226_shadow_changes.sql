-- The last changes of shadows, for people who look at one. They are written a
-- moment after the shadow itself and go with it. at is in milliseconds since 1970,
-- bytes what a change weighs, notes who made it, as JSON.
CREATE TABLE shadow_changes (
    account TEXT NOT NULL,
    thing TEXT NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    notes TEXT NOT NULL,
    request TEXT NOT NULL,
    documents TEXT NOT NULL,
    PRIMARY KEY (account, thing, name, version)
);

-- The oldest of all shadows' go first when there are too many.
CREATE INDEX shadow_changes_at ON shadow_changes (account, at);
