-- Things and what hangs on them. Times are milliseconds since 1970; 0 is "never".
--
-- Secondary indexes hold every column that their queries read. SQLite, which has
-- no statistics here, takes the account for selective, and would rather walk the
-- primary key than fetch rows through an index.
CREATE TABLE things (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    billing_group TEXT NOT NULL,
    attributes TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE INDEX things_by_type ON things (account, type, name);

CREATE INDEX things_by_billing_group ON things (account, billing_group, name);

-- One row for each attribute of a thing: the index behind ListThings by attribute.
CREATE TABLE thing_attributes (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    thing TEXT NOT NULL,
    PRIMARY KEY (account, name, value, thing)
) WITHOUT ROWID;

CREATE TABLE thing_types (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    properties TEXT NOT NULL,
    created BIGINT NOT NULL,
    deprecated BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

-- path holds the names from the root to the group. It never changes, so that all
-- groups below one, and all their members, are one range of an index.
CREATE TABLE thing_groups (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT NOT NULL,
    path TEXT NOT NULL,
    description TEXT NOT NULL,
    attributes TEXT NOT NULL,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE INDEX thing_groups_by_parent ON thing_groups (account, parent, name);

CREATE INDEX thing_groups_by_path ON thing_groups (account, path);

CREATE TABLE thing_group_members (
    account TEXT NOT NULL,
    path TEXT NOT NULL,
    thing TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (account, path, thing)
) WITHOUT ROWID;

CREATE INDEX thing_group_members_by_thing ON thing_group_members (account, thing, path, id);

CREATE TABLE billing_groups (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    description TEXT NOT NULL,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE thing_principals (
    account TEXT NOT NULL,
    thing TEXT NOT NULL,
    principal TEXT NOT NULL,
    exclusive BOOLEAN NOT NULL,
    PRIMARY KEY (account, thing, principal)
) WITHOUT ROWID;

CREATE INDEX thing_principals_by_principal ON thing_principals (account, principal, thing, exclusive);

-- Tags on everything that has an ARN.
CREATE TABLE tags (
    account TEXT NOT NULL,
    resource TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (account, resource, tag_key)
) WITHOUT ROWID;

-- The switches of registry events, as JSON from type to boolean; one row.
CREATE TABLE event_configurations (
    account TEXT NOT NULL,
    enabled TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account)
) WITHOUT ROWID;
