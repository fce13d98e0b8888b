-- Persistent sessions. left_at is 0 while the client is connected; expiry is in
-- milliseconds too.
CREATE TABLE sessions (
    account TEXT NOT NULL,
    client_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    expiry BIGINT NOT NULL,
    left_at BIGINT NOT NULL,
    principal TEXT NOT NULL,
    PRIMARY KEY (account, client_id)
) WITHOUT ROWID;

CREATE TABLE subscriptions (
    account TEXT NOT NULL,
    client_id TEXT NOT NULL,
    filter TEXT NOT NULL,
    qos BIGINT NOT NULL,
    no_local BOOLEAN NOT NULL,
    retain_as_published BOOLEAN NOT NULL,
    id BIGINT NOT NULL,
    PRIMARY KEY (account, client_id, filter)
) WITHOUT ROWID;

-- Messages on their way to a session. body names a row of message_bodies, or is
-- '' where head and payload hold the whole message. The rows are long, so they
-- stand in the order of arrival and not in that of the key: a message to many
-- queues that wait touches few pages, and counting reads the key alone.
CREATE TABLE queued_messages (
    account TEXT NOT NULL,
    client_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    packet_id BIGINT NOT NULL,
    received BOOLEAN NOT NULL,
    body TEXT NOT NULL,
    head BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (account, client_id, number)
);

-- Who still refers to a body. Messages with their own stay out of it.
CREATE INDEX queued_messages_by_body ON queued_messages (account, body, client_id) WHERE body <> '';

-- Messages that several queues share. A body goes with its last reference.
CREATE TABLE message_bodies (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    head BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (account, id)
);

-- QoS 2 packet identifiers that a client used and has not released.
CREATE TABLE received_packets (
    account TEXT NOT NULL,
    client_id TEXT NOT NULL,
    packet_id BIGINT NOT NULL,
    PRIMARY KEY (account, client_id, packet_id)
) WITHOUT ROWID;

-- Retained messages. The rows are long, so they are not kept in the key: counting
-- them reads the key alone.
CREATE TABLE retained_messages (
    account TEXT NOT NULL,
    topic TEXT NOT NULL,
    modified BIGINT NOT NULL,
    head BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (account, topic)
);
