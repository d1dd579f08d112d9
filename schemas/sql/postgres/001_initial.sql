-- SPDX-License-Identifier: Apache-2.0
-- The store's first schema, for PostgreSQL. All integers are 64 bits wide; times
-- are microseconds since the Unix epoch unless the column says report time.
-- Columns called sealed hold ciphertext: see src/store/seal.h.

-- The version of this schema; its presence says whose the tables are.
CREATE TABLE moiety_schema (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    version  BIGINT NOT NULL
);
INSERT INTO moiety_schema (only_row, version) VALUES (1, 0);

-- What the last commit of each connection left, for when the answer to a
-- COMMIT is lost: see src/store/postgres_commit.c.
CREATE TABLE commit_mark (
    writer    BIGINT NOT NULL PRIMARY KEY,
    token     BIGINT NOT NULL,
    marked_at BIGINT NOT NULL
);

-- The keys that seal columns, themselves wrapped under a key outside.
CREATE TABLE data_key (
    number     BIGINT NOT NULL PRIMARY KEY,
    wrapped    BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);

-- One row: rises with every write to peers, tasks and HPKE keys.
CREATE TABLE config_version (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    version  BIGINT NOT NULL
);
INSERT INTO config_version (only_row, version) VALUES (1, 1);

CREATE TABLE peer (
    name             TEXT NOT NULL PRIMARY KEY,
    dialect          TEXT NOT NULL,
    token            BYTEA NOT NULL, -- sealed
    token_hash       BYTEA NOT NULL,
    certificate_name TEXT
);

-- The number stands for the task in all other tables. Reports whose epoch is
-- below the watermark are refused for ever.
CREATE TABLE task (
    number           BIGINT NOT NULL PRIMARY KEY,
    id               BYTEA  NOT NULL UNIQUE,
    role             BIGINT NOT NULL,
    config           BYTEA  NOT NULL,
    collector_config BYTEA  NOT NULL,
    verify_keys      BYTEA  NOT NULL, -- sealed
    aggregator_peer  TEXT   NOT NULL REFERENCES peer (name),
    collector_peer   TEXT            REFERENCES peer (name),
    settings         BYTEA  NOT NULL,
    created_at       BIGINT NOT NULL,
    watermark        BIGINT NOT NULL
);

-- Sharded, so that writers need not wait for each other; the sum counts.
CREATE TABLE counter (
    task  BIGINT NOT NULL,
    name  TEXT   NOT NULL,
    shard BIGINT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (task, name, shard)
);

CREATE TABLE task_usage (
    task       BIGINT NOT NULL,
    shard      BIGINT NOT NULL,
    reports    BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    unassigned BIGINT NOT NULL,
    PRIMARY KEY (task, shard)
);

CREATE TABLE hpke_key (
    id          BIGINT NOT NULL PRIMARY KEY,
    kem_id      BIGINT NOT NULL,
    kdf_id      BIGINT NOT NULL,
    aead_id     BIGINT NOT NULL,
    public_key  BYTEA  NOT NULL,
    private_key BYTEA  NOT NULL, -- sealed
    state       BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    state_since BIGINT NOT NULL
);

-- Both sets of report IDs (kind 0: uploaded, 1: committed). The epoch comes
-- before the ID so that expiry deletes runs of neighbours; id_epoch lists the
-- epochs that hold any, which are the ones to probe.
CREATE TABLE report_id (
    task  BIGINT NOT NULL,
    kind  BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    id    BYTEA  NOT NULL,
    PRIMARY KEY (task, kind, epoch, id)
);

CREATE TABLE id_epoch (
    task  BIGINT NOT NULL,
    kind  BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (task, kind, epoch)
);

-- A segment's small, changing half. Its reports are numbered from 0; the last
-- `unassigned` of them are in no job, `remaining` of them are not terminal.
CREATE TABLE segment (
    number       BIGINT NOT NULL PRIMARY KEY,
    task         BIGINT NOT NULL,
    epoch        BIGINT NOT NULL,
    stored_at    BIGINT NOT NULL,
    not_before   BIGINT NOT NULL,
    report_count BIGINT NOT NULL,
    unassigned   BIGINT NOT NULL,
    remaining    BIGINT NOT NULL,
    bytes        BIGINT NOT NULL,
    time_min     BIGINT NOT NULL, -- report time, of all that it held
    time_max     BIGINT NOT NULL,
    config_ids   BYTEA  NOT NULL  -- each HPKE key id that its reports name
);
CREATE INDEX segment_waiting ON segment (task, stored_at, number) WHERE unassigned > 0;
CREATE INDEX segment_by_epoch ON segment (task, epoch);

-- Its large half, which never changes.
CREATE TABLE segment_body (
    segment BIGINT NOT NULL PRIMARY KEY,
    times   BYTEA  NOT NULL,
    reports BYTEA  NOT NULL
);

CREATE TABLE job (
    id            BYTEA  NOT NULL PRIMARY KEY,
    task          BIGINT NOT NULL,
    batch_id      BYTEA,
    agg_param     BYTEA  NOT NULL,
    verify_key_id BIGINT NOT NULL,
    fixed         BIGINT NOT NULL,
    digest        BYTEA  NOT NULL,
    step          BIGINT NOT NULL,
    location      TEXT,
    attempts      BIGINT NOT NULL,
    member_count  BIGINT NOT NULL,
    time_min      BIGINT NOT NULL, -- report time
    time_max      BIGINT NOT NULL,
    epoch_min     BIGINT NOT NULL,
    retry_at      BIGINT NOT NULL,
    lease         BIGINT NOT NULL,
    leased_until  BIGINT NOT NULL
);
CREATE INDEX job_due ON job (retry_at);
CREATE INDEX job_by_task ON job (task, batch_id);

CREATE TABLE job_body (
    job    BYTEA  NOT NULL PRIMARY KEY,
    ranges BYTEA NOT NULL,
    state  BYTEA NOT NULL -- sealed, or empty
);

CREATE TABLE bucket (
    task         BIGINT NOT NULL,
    key          BYTEA  NOT NULL,
    param_digest BYTEA  NOT NULL,
    shard        BIGINT NOT NULL,
    report_count BIGINT NOT NULL,
    checksum     BYTEA  NOT NULL,
    time_min     BIGINT NOT NULL, -- report time
    time_max     BIGINT NOT NULL,
    agg_share    BYTEA  NOT NULL, -- sealed; empty once collected
    PRIMARY KEY (task, key, param_digest, shard)
);

-- Disjoint, in report time; `finish` is the first time after the interval.
CREATE TABLE collected_interval (
    task   BIGINT NOT NULL,
    start  BIGINT NOT NULL,
    finish BIGINT NOT NULL,
    PRIMARY KEY (task, start)
);

CREATE TABLE collected_batch (
    task     BIGINT NOT NULL,
    batch_id BYTEA  NOT NULL,
    PRIMARY KEY (task, batch_id)
);

CREATE TABLE batch (
    task      BIGINT NOT NULL,
    id        BYTEA  NOT NULL,
    state     BIGINT NOT NULL,
    assigned  BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    PRIMARY KEY (task, id)
);
CREATE INDEX batch_by_state ON batch (task, state, opened_at);

CREATE TABLE resource (
    number       BIGINT NOT NULL PRIMARY KEY,
    task         BIGINT NOT NULL,
    kind         BIGINT NOT NULL,
    id           BYTEA  NOT NULL,
    state        BIGINT NOT NULL,
    live         BIGINT NOT NULL,
    digest       BYTEA  NOT NULL,
    config_ids   BYTEA  NOT NULL,
    step         BIGINT NOT NULL,
    step_digest  BYTEA  NOT NULL,
    problem      BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL,
    retry_at     BIGINT NOT NULL,
    lease        BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    UNIQUE (task, kind, id)
);
CREATE UNIQUE INDEX resource_live ON resource (task, kind, digest) WHERE live = 1;
CREATE INDEX resource_due ON resource (kind, retry_at) WHERE state = 0;

CREATE TABLE resource_body (
    resource BIGINT NOT NULL PRIMARY KEY,
    request  BYTEA  NOT NULL,
    response BYTEA  NOT NULL,
    note     BYTEA  NOT NULL -- sealed
);
