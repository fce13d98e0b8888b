-- SageMaker Edge. Columns that name fleets, devices, plans, stages and jobs hold
-- the name in lower case, by which ARNs have it too; name is how it was written.
CREATE TABLE edge_fleets (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    role_alias TEXT NOT NULL,
    output TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE INDEX edge_fleets_by_creation ON edge_fleets (account, created, id);
CREATE INDEX edge_fleets_by_change ON edge_fleets (account, modified, id);

-- The heartbeat is the latest; 0 before the first.
CREATE TABLE edge_devices (
    account TEXT NOT NULL,
    fleet TEXT NOT NULL,
    id TEXT NOT NULL,
    fleet_name TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    thing TEXT NOT NULL,
    registered BIGINT NOT NULL,
    heartbeat BIGINT NOT NULL,
    agent_version TEXT NOT NULL,
    PRIMARY KEY (account, fleet, id)
) WITHOUT ROWID;

-- What runs on the devices.
CREATE TABLE edge_models (
    account TEXT NOT NULL,
    fleet TEXT NOT NULL,
    device TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    sampled BIGINT NOT NULL,
    inferred BIGINT NOT NULL,
    PRIMARY KEY (account, fleet, device, name, version)
) WITHOUT ROWID;

CREATE TABLE edge_packaging_jobs (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    compilation_job TEXT NOT NULL,
    model_id TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    output TEXT NOT NULL,
    resource_key TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT NOT NULL,
    artifact TEXT NOT NULL,
    sha1 TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX edge_packaging_jobs_by_creation ON edge_packaging_jobs (account, created, id);
CREATE INDEX edge_packaging_jobs_by_change ON edge_packaging_jobs (account, modified, id);
CREATE INDEX edge_packaging_jobs_by_model ON edge_packaging_jobs (account, model_id, id);
CREATE INDEX edge_packaging_jobs_by_status ON edge_packaging_jobs (account, status, id);

CREATE TABLE edge_plans (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    fleet TEXT NOT NULL,
    fleet_name TEXT NOT NULL,
    models TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX edge_plans_by_creation ON edge_plans (account, created, id);
CREATE INDEX edge_plans_by_change ON edge_plans (account, modified, id);
CREATE INDEX edge_plans_by_fleet ON edge_plans (account, fleet, id);

-- The last three columns count devices.
CREATE TABLE edge_stages (
    account TEXT NOT NULL,
    plan TEXT NOT NULL,
    number BIGINT NOT NULL,
    id TEXT NOT NULL,
    plan_name TEXT NOT NULL,
    name TEXT NOT NULL,
    selection TEXT NOT NULL,
    on_failure TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT NOT NULL,
    started BIGINT NOT NULL,
    success BIGINT NOT NULL,
    pending BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    PRIMARY KEY (account, plan, number)
);

-- What a plan does to a device.
CREATE TABLE edge_deployments (
    account TEXT NOT NULL,
    plan TEXT NOT NULL,
    device TEXT NOT NULL,
    stage TEXT NOT NULL,
    fleet TEXT NOT NULL,
    plan_name TEXT NOT NULL,
    stage_name TEXT NOT NULL,
    fleet_name TEXT NOT NULL,
    device_name TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT NOT NULL,
    started BIGINT NOT NULL,
    PRIMARY KEY (account, plan, device)
);
CREATE INDEX edge_deployments_by_stage ON edge_deployments (account, plan, stage, device);
CREATE INDEX edge_deployments_by_device ON edge_deployments (account, fleet, device, plan);
