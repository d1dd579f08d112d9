-- SPDX-License-Identifier: Apache-2.0
-- Work is claimed task by task.

-- When a job or resource may next be claimed: retry_at, or the end of its lease
-- if that is later. Claims go by task in turn, so each index comes twice: what is
-- due at all, and what is due in a task.
ALTER TABLE job ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
UPDATE job SET due_at = CASE WHEN leased_until > retry_at THEN leased_until ELSE retry_at END;
DROP INDEX job_due;
CREATE INDEX job_due ON job (due_at);
CREATE INDEX job_turn ON job (task, due_at);

ALTER TABLE resource ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
UPDATE resource
    SET due_at = CASE WHEN leased_until > retry_at THEN leased_until ELSE retry_at END;
DROP INDEX resource_due;
CREATE INDEX resource_due ON resource (kind, due_at) WHERE state = 0;
CREATE INDEX resource_turn ON resource (kind, task, due_at) WHERE state = 0;

-- What expires.
CREATE INDEX resource_ended ON resource (task, ended_at) WHERE state <> 0;

-- What is encrypted or random does not compress, and trying to costs more than
-- all else that PostgreSQL does with a report.
ALTER TABLE segment_body ALTER COLUMN times SET STORAGE EXTERNAL,
    ALTER COLUMN reports SET STORAGE EXTERNAL;
ALTER TABLE job_body ALTER COLUMN ranges SET STORAGE EXTERNAL,
    ALTER COLUMN state SET STORAGE EXTERNAL;
ALTER TABLE bucket ALTER COLUMN agg_share SET STORAGE EXTERNAL;
ALTER TABLE resource_body ALTER COLUMN request SET STORAGE EXTERNAL,
    ALTER COLUMN response SET STORAGE EXTERNAL, ALTER COLUMN note SET STORAGE EXTERNAL;
