-- SPDX-License-Identifier: Apache-2.0
-- The store's first schema, for SQLite. All integers are 64 bits wide; times
-- are microseconds since the Unix epoch unless the column says report time.
-- Columns called sealed hold ciphertext: see src/store/seal.h.

-- The keys that seal columns, themselves wrapped under a key outside.
CREATE TABLE data_key (
    number     INTEGER NOT NULL PRIMARY KEY,
    wrapped    BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- One row: rises with every write to peers, tasks and HPKE keys.
CREATE TABLE config_version (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    version  INTEGER NOT NULL
) STRICT;
INSERT INTO config_version (only_row, version) VALUES (1, 1);

CREATE TABLE peer (
    name             TEXT NOT NULL PRIMARY KEY,
    dialect          TEXT NOT NULL,
    token            BLOB NOT NULL, -- sealed
    token_hash       BLOB NOT NULL,
    certificate_name TEXT
) STRICT;

-- The number stands for the task in all other tables. Reports whose epoch is
-- below the watermark are refused for ever.
CREATE TABLE task (
    number           INTEGER NOT NULL PRIMARY KEY,
    id               BLOB    NOT NULL UNIQUE,
    role             INTEGER NOT NULL,
    config           BLOB    NOT NULL,
    collector_config BLOB    NOT NULL,
    verify_keys      BLOB    NOT NULL, -- sealed
    aggregator_peer  TEXT    NOT NULL REFERENCES peer (name),
    collector_peer   TEXT             REFERENCES peer (name),
    settings         BLOB    NOT NULL,
    created_at       INTEGER NOT NULL,
    watermark        INTEGER NOT NULL
) STRICT;

-- Sharded, so that writers need not wait for each other; the sum counts.
CREATE TABLE counter (
    task  INTEGER NOT NULL,
    name  TEXT    NOT NULL,
    shard INTEGER NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (task, name, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_usage (
    task       INTEGER NOT NULL,
    shard      INTEGER NOT NULL,
    reports    INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    unassigned INTEGER NOT NULL,
    PRIMARY KEY (task, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE hpke_key (
    id          INTEGER NOT NULL PRIMARY KEY,
    kem_id      INTEGER NOT NULL,
    kdf_id      INTEGER NOT NULL,
    aead_id     INTEGER NOT NULL,
    public_key  BLOB    NOT NULL,
    private_key BLOB    NOT NULL, -- sealed
    state       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    state_since INTEGER NOT NULL
) STRICT;

-- Both sets of report IDs (kind 0: uploaded, 1: committed). The epoch comes
-- before the ID so that expiry deletes runs of neighbours; id_epoch lists the
-- epochs that hold any, which are the ones to probe.
CREATE TABLE report_id (
    task  INTEGER NOT NULL,
    kind  INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    id    BLOB    NOT NULL,
    PRIMARY KEY (task, kind, epoch, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE id_epoch (
    task  INTEGER NOT NULL,
    kind  INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (task, kind, epoch)
) STRICT, WITHOUT ROWID;

-- A segment's small, changing half. Its reports are numbered from 0; the last
-- `unassigned` of them are in no job, `remaining` of them are not terminal.
CREATE TABLE segment (
    number       INTEGER NOT NULL PRIMARY KEY,
    task         INTEGER NOT NULL,
    epoch        INTEGER NOT NULL,
    stored_at    INTEGER NOT NULL,
    not_before   INTEGER NOT NULL,
    report_count INTEGER NOT NULL,
    unassigned   INTEGER NOT NULL,
    remaining    INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    time_min     INTEGER NOT NULL, -- report time, of all that it held
    time_max     INTEGER NOT NULL,
    config_ids   BLOB    NOT NULL  -- each HPKE key id that its reports name
) STRICT;
CREATE INDEX segment_waiting ON segment (task, stored_at, number) WHERE unassigned > 0;
CREATE INDEX segment_by_epoch ON segment (task, epoch);

-- Its large half, which never changes.
CREATE TABLE segment_body (
    segment INTEGER NOT NULL PRIMARY KEY,
    times   BLOB    NOT NULL,
    reports BLOB    NOT NULL
) STRICT;

CREATE TABLE job (
    id            BLOB    NOT NULL PRIMARY KEY,
    task          INTEGER NOT NULL,
    batch_id      BLOB,
    agg_param     BLOB    NOT NULL,
    verify_key_id INTEGER NOT NULL,
    fixed         INTEGER NOT NULL,
    digest        BLOB    NOT NULL,
    step          INTEGER NOT NULL,
    location      TEXT,
    attempts      INTEGER NOT NULL,
    member_count  INTEGER NOT NULL,
    time_min      INTEGER NOT NULL, -- report time
    time_max      INTEGER NOT NULL,
    epoch_min     INTEGER NOT NULL,
    retry_at      INTEGER NOT NULL,
    lease         INTEGER NOT NULL,
    leased_until  INTEGER NOT NULL
) STRICT;
CREATE INDEX job_due ON job (retry_at);
CREATE INDEX job_by_task ON job (task, batch_id);

CREATE TABLE job_body (
    job    BLOB NOT NULL PRIMARY KEY,
    ranges BLOB NOT NULL,
    state  BLOB NOT NULL -- sealed, or empty
) STRICT;

CREATE TABLE bucket (
    task         INTEGER NOT NULL,
    key          BLOB    NOT NULL,
    param_digest BLOB    NOT NULL,
    shard        INTEGER NOT NULL,
    report_count INTEGER NOT NULL,
    checksum     BLOB    NOT NULL,
    time_min     INTEGER NOT NULL, -- report time
    time_max     INTEGER NOT NULL,
    agg_share    BLOB    NOT NULL, -- sealed; empty once collected
    PRIMARY KEY (task, key, param_digest, shard)
) STRICT;

-- Disjoint, in report time; `finish` is the first time after the interval.
CREATE TABLE collected_interval (
    task   INTEGER NOT NULL,
    start  INTEGER NOT NULL,
    finish INTEGER NOT NULL,
    PRIMARY KEY (task, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE collected_batch (
    task     INTEGER NOT NULL,
    batch_id BLOB    NOT NULL,
    PRIMARY KEY (task, batch_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE batch (
    task      INTEGER NOT NULL,
    id        BLOB    NOT NULL,
    state     INTEGER NOT NULL,
    assigned  INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    PRIMARY KEY (task, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_by_state ON batch (task, state, opened_at);

CREATE TABLE resource (
    number       INTEGER NOT NULL PRIMARY KEY,
    task         INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    id           BLOB    NOT NULL,
    state        INTEGER NOT NULL,
    live         INTEGER NOT NULL,
    digest       BLOB    NOT NULL,
    config_ids   BLOB    NOT NULL,
    step         INTEGER NOT NULL,
    step_digest  BLOB    NOT NULL,
    problem      INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    ended_at     INTEGER NOT NULL,
    retry_at     INTEGER NOT NULL,
    lease        INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    UNIQUE (task, kind, id)
) STRICT;
CREATE UNIQUE INDEX resource_live ON resource (task, kind, digest) WHERE live = 1;
CREATE INDEX resource_due ON resource (kind, retry_at) WHERE state = 0;

CREATE TABLE resource_body (
    resource INTEGER NOT NULL PRIMARY KEY,
    request  BLOB    NOT NULL,
    response BLOB    NOT NULL,
    note     BLOB    NOT NULL -- sealed
) STRICT;
