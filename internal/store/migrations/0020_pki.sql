-- Device certificates. The rows are long (PEM), so they are not kept in the key.
CREATE TABLE certificates (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    pem TEXT NOT NULL,
    ca TEXT NOT NULL,
    mode TEXT NOT NULL,
    previous_owner TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    generation TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    claim BOOLEAN NOT NULL,
    transfer TEXT NOT NULL,
    transfer_to TEXT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX certificates_by_age ON certificates (account, created_at, id) WHERE NOT claim;
CREATE INDEX certificates_by_ca ON certificates (account, ca, created_at, id) WHERE ca <> '';
CREATE INDEX certificates_outgoing ON certificates (account, created_at, id) WHERE transfer_to <> '';
CREATE INDEX certificates_claims ON certificates (account, not_after) WHERE claim;

-- Registered CAs. The subject is a hash of the name that leaves call their issuer.
CREATE TABLE ca_certificates (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    auto_registration BOOLEAN NOT NULL,
    pem TEXT NOT NULL,
    subject TEXT NOT NULL,
    mode TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    generation TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    template_body TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    template_name TEXT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX ca_certificates_by_subject ON ca_certificates (account, subject, id);
CREATE INDEX ca_certificates_by_age ON ca_certificates (account, created_at, id);
CREATE INDEX ca_certificates_by_template ON ca_certificates (account, template_name, created_at, id) WHERE template_name <> '';

CREATE TABLE registration_codes (
    account TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (account)
);

CREATE TABLE certificate_providers (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    lambda_arn TEXT NOT NULL,
    operations TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
