-- The manifests of imports, in parts, until the import has ended: in the database,
-- so that any server can go on with an import.
CREATE TABLE manifest_parts (
    account TEXT NOT NULL,
    import TEXT NOT NULL,
    number BIGINT NOT NULL,
    size BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (account, import, number)
);

-- Which certificates of a bundle are wanted, and where in S3 the manifest comes
-- from; '' for none.
ALTER TABLE manifest_imports ADD COLUMN certificates TEXT NOT NULL DEFAULT '';

ALTER TABLE manifest_imports ADD COLUMN source_bucket TEXT NOT NULL DEFAULT '';

ALTER TABLE manifest_imports ADD COLUMN source_key TEXT NOT NULL DEFAULT '';

ALTER TABLE manifest_imports ADD COLUMN source_role TEXT NOT NULL DEFAULT '';
