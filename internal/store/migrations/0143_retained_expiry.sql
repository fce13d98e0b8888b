-- When a retained message leaves by itself, in milliseconds; 0 for never, and for
-- those from before this column, which are only not sent any more.
ALTER TABLE retained_messages ADD COLUMN expires BIGINT NOT NULL DEFAULT 0;

CREATE INDEX retained_messages_by_end ON retained_messages (account, expires) WHERE expires <> 0;
