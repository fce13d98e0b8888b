-- Outbound integrations. settings is JSON; secrets (private key, password) are
-- apart, and sealed where the server has a key for that.
CREATE TABLE integrations (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    secrets BYTEA NOT NULL,
    sealed BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

-- QoS 1 messages on their way to a far side. The rows are long and stand in the
-- order of arrival; size, of topic and payload, spares reading them at start.
CREATE TABLE integration_messages (
    account TEXT NOT NULL,
    integration TEXT NOT NULL,
    number BIGINT NOT NULL,
    size BIGINT NOT NULL,
    head BYTEA NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (account, integration, number)
);
