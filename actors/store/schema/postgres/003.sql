-- How much text was accepted and is not processed is counted by it, up to a limit: backlog.c.
CREATE INDEX job_waiting ON job (project) WHERE kind = 0 AND state < 2;
