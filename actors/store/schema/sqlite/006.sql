-- How much text of a project was accepted and is not processed: jobs that chunk a part and are ready
-- or leased. Kept by triggers, so that no statement can forget it.
ALTER TABLE project ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0);
CREATE TABLE backlog (id INTEGER PRIMARY KEY CHECK (id = 1), waiting INTEGER NOT NULL CHECK (waiting >= 0)) STRICT;
UPDATE project SET waiting = (SELECT count(*) FROM job WHERE job.project = project.id AND kind = 0 AND state < 2);
INSERT INTO backlog (id, waiting) SELECT 1, coalesce(sum(waiting), 0) FROM project;

CREATE TRIGGER job_waits AFTER INSERT ON job WHEN NEW.kind = 0 AND NEW.state < 2 BEGIN
    UPDATE project SET waiting = waiting + 1 WHERE id = NEW.project;
    UPDATE backlog SET waiting = waiting + 1;
END;
CREATE TRIGGER job_settles AFTER UPDATE OF state ON job WHEN NEW.kind = 0 AND (NEW.state < 2) <> (OLD.state < 2) BEGIN
    UPDATE project SET waiting = waiting + iif(NEW.state < 2, 1, -1) WHERE id = NEW.project;
    UPDATE backlog SET waiting = waiting + iif(NEW.state < 2, 1, -1);
END;
CREATE TRIGGER job_goes AFTER DELETE ON job WHEN OLD.kind = 0 AND OLD.state < 2 BEGIN
    UPDATE project SET waiting = waiting - 1 WHERE id = OLD.project;
    UPDATE backlog SET waiting = waiting - 1;
END;
