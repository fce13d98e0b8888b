-- Imports of makers' manifests. The manifest itself is a file of the data folder
-- until the import has ended.
CREATE TABLE manifest_imports (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    signers TEXT NOT NULL,
    policy TEXT NOT NULL,
    thing_type TEXT NOT NULL,
    thing_group TEXT NOT NULL,
    name_case TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT NOT NULL,
    made BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    size BIGINT NOT NULL,
    done BIGINT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX manifest_imports_by_age ON manifest_imports (account, created, id);

CREATE INDEX manifest_imports_by_status ON manifest_imports (account, status, created, id);
