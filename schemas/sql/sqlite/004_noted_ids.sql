-- SPDX-License-Identifier: Apache-2.0
-- What a leader has aggregated, to be looked at: see store_ids_note().
--
-- Serves programs of version 2.

-- The IDs of one job, 16 bytes each, filed under the newest of their epochs.
CREATE TABLE noted_ids (
    task   INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    ids    BLOB NOT NULL,
    PRIMARY KEY (task, epoch, number)
) STRICT;
