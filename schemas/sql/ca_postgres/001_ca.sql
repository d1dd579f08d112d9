-- SPDX-License-Identifier: Apache-2.0
-- What the certificate authority remembers. Times are seconds since 1970; ids
-- are 16 random bytes; states and types are the numbers of the enums in
-- src/acme/ca/record.h.

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

CREATE TABLE ca_eab (
    kid TEXT PRIMARY KEY,
    mac_key BYTEA NOT NULL,
    profiles TEXT NOT NULL,            -- names with spaces between; empty: all
    account BYTEA,                     -- the one that was bound with it
    created BIGINT NOT NULL
);

CREATE TABLE ca_account (
    id BYTEA PRIMARY KEY,
    thumbprint TEXT NOT NULL UNIQUE,
    jwk TEXT NOT NULL,
    contacts TEXT NOT NULL,            -- a JSON array
    state BIGINT NOT NULL,
    profiles TEXT NOT NULL,            -- that its external key allows; empty: all
    eab TEXT,                          -- the binding as it was sent, JSON
    created BIGINT NOT NULL
);

CREATE TABLE ca_order (
    id BYTEA PRIMARY KEY,
    account BYTEA NOT NULL,
    state BIGINT NOT NULL,
    profile TEXT NOT NULL,
    identifiers TEXT NOT NULL,         -- a JSON array
    authorizations BYTEA NOT NULL,     -- their ids, one after the other
    expires BIGINT NOT NULL,
    replaces TEXT,                     -- RFC 9773's name of a certificate
    serial BYTEA,                      -- of the certificate, once there is one
    problem TEXT,                      -- JSON
    created BIGINT NOT NULL
);
CREATE INDEX ca_order_account ON ca_order (account, created);

-- One for each name of an order, unless a valid one is there to be used again.
CREATE TABLE ca_authorization (
    id BYTEA PRIMARY KEY,
    account BYTEA NOT NULL,
    type BIGINT NOT NULL,
    value TEXT NOT NULL,               -- without "*."
    wildcard BIGINT NOT NULL,
    state BIGINT NOT NULL,
    token TEXT NOT NULL,               -- of each of its challenges
    challenge BIGINT NOT NULL,         -- the type that was tried; 0: none yet
    validated BIGINT,
    problem TEXT,
    expires BIGINT NOT NULL
);
CREATE INDEX ca_authorization_valid ON ca_authorization (account, value, type, wildcard)
    WHERE state = 1;
-- What was under way when the server ended is taken up again.
CREATE INDEX ca_authorization_tried ON ca_authorization (id) WHERE state = 0 AND challenge <> 0;

-- Every certificate that was delivered, in the order of the log, whose leaf
-- `number` is the hash of `der`.
CREATE TABLE ca_certificate (
    number BIGINT PRIMARY KEY,
    serial BYTEA NOT NULL UNIQUE,
    account BYTEA,                     -- NULL: the CA's own
    issuer TEXT NOT NULL,
    profile TEXT NOT NULL,
    der BYTEA NOT NULL,
    key_digest BYTEA NOT NULL,         -- SHA-256 of its SubjectPublicKeyInfo
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    shard BIGINT NOT NULL,
    revoked BIGINT,                    -- when
    reason BIGINT,
    replaced BYTEA                      -- by this order
);
CREATE INDEX ca_certificate_revoked ON ca_certificate (issuer, shard, not_after)
    WHERE revoked IS NOT NULL;
CREATE INDEX ca_certificate_key ON ca_certificate (key_digest);
CREATE INDEX ca_certificate_replaced ON ca_certificate (replaced) WHERE replaced IS NOT NULL;

-- Keys that somebody else has: never certified again.
CREATE TABLE ca_blocked_key (
    digest BYTEA PRIMARY KEY,
    since BIGINT NOT NULL
);

-- Complete subtrees of the log (RFC 9162 section 2.1).
CREATE TABLE ca_log_node (
    level BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (level, idx)
);

-- Signed tree heads, written before anybody sees them.
CREATE TABLE ca_checkpoint (
    size BIGINT PRIMARY KEY,
    note TEXT NOT NULL
);

CREATE TABLE ca_crl (
    issuer TEXT NOT NULL,
    shard BIGINT NOT NULL,
    number BIGINT NOT NULL,
    der BYTEA NOT NULL,
    next_update BIGINT NOT NULL,
    stale BIGINT NOT NULL,             -- something was revoked since
    PRIMARY KEY (issuer, shard)
);
