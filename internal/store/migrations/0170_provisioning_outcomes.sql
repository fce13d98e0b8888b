-- What became of each line of a registration task and of each entry of a
-- manifest import. state and text are the noun's words; a line that has only
-- begun has text that lets it be done again after the server's end.
CREATE TABLE provisioning_outcomes (
    account TEXT NOT NULL,
    job TEXT NOT NULL,
    line BIGINT NOT NULL,
    state TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (account, job, line)
);

-- The state of the input when a task first read it: another one cannot be gone
-- on with.
ALTER TABLE registration_tasks ADD COLUMN input_version TEXT NOT NULL DEFAULT '';
