-- What an entry is about, in lower case and a line each, to search in. Entries
-- from before are found by anything that stands in them.
ALTER TABLE audit ADD COLUMN about TEXT NOT NULL DEFAULT '';

UPDATE audit SET about = lower(entry);
