-- A will that its subscribers have, and that only the services of the server (rules
-- above all) may still want after a crash.
ALTER TABLE wills ADD COLUMN delivered BIGINT NOT NULL DEFAULT 0;
