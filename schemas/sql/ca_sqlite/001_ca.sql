-- SPDX-License-Identifier: Apache-2.0
-- What the certificate authority remembers. Times are seconds since 1970; ids
-- are 16 random bytes; states and types are the numbers of the enums in
-- src/acme/ca/record.h.

CREATE TABLE ca_eab (
    kid TEXT PRIMARY KEY,
    mac_key BLOB NOT NULL,
    profiles TEXT NOT NULL,            -- names with spaces between; empty: all
    account BLOB,                      -- the one that was bound with it
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ca_account (
    id BLOB PRIMARY KEY,
    thumbprint TEXT NOT NULL UNIQUE,
    jwk TEXT NOT NULL,
    contacts TEXT NOT NULL,            -- a JSON array
    state INTEGER NOT NULL,
    profiles TEXT NOT NULL,            -- that its external key allows; empty: all
    eab TEXT,                          -- the binding as it was sent, JSON
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ca_order (
    id BLOB PRIMARY KEY,
    account BLOB NOT NULL,
    state INTEGER NOT NULL,
    profile TEXT NOT NULL,
    identifiers TEXT NOT NULL,         -- a JSON array
    authorizations BLOB NOT NULL,      -- their ids, one after the other
    expires INTEGER NOT NULL,
    replaces TEXT,                     -- RFC 9773's name of a certificate
    serial BLOB,                       -- of the certificate, once there is one
    problem TEXT,                      -- JSON
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ca_order_account ON ca_order (account, created);

-- One for each name of an order, unless a valid one is there to be used again.
CREATE TABLE ca_authorization (
    id BLOB PRIMARY KEY,
    account BLOB NOT NULL,
    type INTEGER NOT NULL,
    value TEXT NOT NULL,               -- without "*."
    wildcard INTEGER NOT NULL,
    state INTEGER NOT NULL,
    token TEXT NOT NULL,               -- of each of its challenges
    challenge INTEGER NOT NULL,        -- the type that was tried; 0: none yet
    validated INTEGER,
    problem TEXT,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ca_authorization_valid ON ca_authorization (account, value, type, wildcard)
    WHERE state = 1;
-- What was under way when the server ended is taken up again.
CREATE INDEX ca_authorization_tried ON ca_authorization (id) WHERE state = 0 AND challenge <> 0;

-- Every certificate that was delivered, in the order of the log, whose leaf
-- `number` is the hash of `der`.
CREATE TABLE ca_certificate (
    number INTEGER PRIMARY KEY,
    serial BLOB NOT NULL UNIQUE,
    account BLOB,                      -- NULL: the CA's own
    issuer TEXT NOT NULL,
    profile TEXT NOT NULL,
    der BLOB NOT NULL,
    key_digest BLOB NOT NULL,          -- SHA-256 of its SubjectPublicKeyInfo
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    revoked INTEGER,                   -- when
    reason INTEGER,
    replaced BLOB                      -- by this order
) STRICT;
CREATE INDEX ca_certificate_revoked ON ca_certificate (issuer, shard, not_after)
    WHERE revoked IS NOT NULL;
CREATE INDEX ca_certificate_key ON ca_certificate (key_digest);
CREATE INDEX ca_certificate_replaced ON ca_certificate (replaced) WHERE replaced IS NOT NULL;

-- Keys that somebody else has: never certified again.
CREATE TABLE ca_blocked_key (
    digest BLOB PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Complete subtrees of the log (RFC 9162 section 2.1).
CREATE TABLE ca_log_node (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

-- Signed tree heads, written before anybody sees them.
CREATE TABLE ca_checkpoint (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
) STRICT;

CREATE TABLE ca_crl (
    issuer TEXT NOT NULL,
    shard INTEGER NOT NULL,
    number INTEGER NOT NULL,
    der BLOB NOT NULL,
    next_update INTEGER NOT NULL,
    stale INTEGER NOT NULL,            -- something was revoked since
    PRIMARY KEY (issuer, shard)
) STRICT, WITHOUT ROWID;
