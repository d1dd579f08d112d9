-- SPDX-License-Identifier: Apache-2.0
-- What replicas share beside their tasks, as the certificate that they serve: see
-- src/store/vault.h.
--
-- Serves programs of version 2.

CREATE TABLE vault_item (
    name    TEXT NOT NULL PRIMARY KEY,
    content BLOB NOT NULL -- sealed
) STRICT, WITHOUT ROWID;

-- The token rises with each holder; 0 is the end of a lease that was given back.
CREATE TABLE vault_lease (
    name         TEXT NOT NULL PRIMARY KEY,
    token        INTEGER NOT NULL,
    leased_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
