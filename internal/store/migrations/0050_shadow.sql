-- Device shadows, one row each. name is '' for the classic shadow of a thing.
-- desired and reported are compact JSON, NULL where there is no such section;
-- stamps is the metadata of both in the shadow package's short form. A deleted
-- shadow keeps its row for a while, with the time of its deletion.
CREATE TABLE shadows (
    account TEXT NOT NULL,
    thing TEXT NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    version BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    desired TEXT,
    reported TEXT,
    stamps TEXT NOT NULL,
    PRIMARY KEY (account, thing, name)
);

-- For the purge. Updates of live shadows do not touch it.
CREATE INDEX shadows_deleted ON shadows (account, deleted) WHERE deleted > 0;
