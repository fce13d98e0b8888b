-- Topic rules. The actions are JSON in the shapes of the AWS service model.
CREATE TABLE topic_rules (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    sql_text TEXT NOT NULL,
    description TEXT NOT NULL,
    sql_version TEXT NOT NULL,
    topic TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    actions TEXT NOT NULL,
    error_action TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);
CREATE INDEX topic_rules_by_topic ON topic_rules (account, topic, name);
CREATE INDEX topic_rules_by_state ON topic_rules (account, disabled, name);

-- Where http and kafka actions may go. url is '' for VPC destinations; the token
-- is kept as its hash.
CREATE TABLE topic_rule_destinations (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    url TEXT NOT NULL,
    vpc TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    token_ends BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX topic_rule_destinations_by_url ON topic_rule_destinations (account, url) WHERE url <> '';
CREATE INDEX topic_rule_destinations_by_token ON topic_rule_destinations (account, token_hash) WHERE token_hash <> '';
