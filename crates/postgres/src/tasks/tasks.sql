CREATE TABLE IF NOT EXISTS towline_tasks (
    id text PRIMARY KEY,
    revision bigint NOT NULL,
    expires_at timestamptz,
    record text NOT NULL
);
CREATE INDEX IF NOT EXISTS towline_tasks_expires_at ON towline_tasks (expires_at);
