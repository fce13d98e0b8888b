-- The accounts of the server besides its first one, which is a setting.
CREATE TABLE accounts (
    id TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (id)
) WITHOUT ROWID;

-- Access keys name no account: the request's account is that of its key.
CREATE INDEX iam_access_keys_by_id ON iam_access_keys (id, account);

CREATE INDEX iam_sessions_by_id ON iam_sessions (id, account);
