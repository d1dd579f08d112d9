-- SPDX-License-Identifier: Apache-2.0
-- Work is claimed task by task.

-- When a job or resource may next be claimed: retry_at, or the end of its lease
-- if that is later. Claims go by task in turn, so each index comes twice: what is
-- due at all, and what is due in a task.
ALTER TABLE job ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
UPDATE job SET due_at = CASE WHEN leased_until > retry_at THEN leased_until ELSE retry_at END;
DROP INDEX job_due;
CREATE INDEX job_due ON job (due_at);
CREATE INDEX job_turn ON job (task, due_at);

ALTER TABLE resource ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
UPDATE resource
    SET due_at = CASE WHEN leased_until > retry_at THEN leased_until ELSE retry_at END;
DROP INDEX resource_due;
CREATE INDEX resource_due ON resource (kind, due_at) WHERE state = 0;
CREATE INDEX resource_turn ON resource (kind, task, due_at) WHERE state = 0;

-- What expires.
CREATE INDEX resource_ended ON resource (task, ended_at) WHERE state <> 0;
