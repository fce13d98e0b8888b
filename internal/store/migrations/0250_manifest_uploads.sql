-- How many bytes of an import's manifest have come, so that a part need not look
-- at all the others.
ALTER TABLE manifest_imports ADD COLUMN uploaded BIGINT NOT NULL DEFAULT 0;

UPDATE manifest_imports SET uploaded = COALESCE((SELECT SUM(p.size) FROM manifest_parts p
    WHERE p.account = manifest_imports.account AND p.import = manifest_imports.id), 0);
