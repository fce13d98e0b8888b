-- When an account was deleted; 0 while it lives. What is left of one that has
-- ended, after a crash, is deleted at the next start.
ALTER TABLE accounts ADD COLUMN ended BIGINT NOT NULL DEFAULT 0;
