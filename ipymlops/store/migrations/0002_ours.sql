-- Which jobs were sent from here: the watch asks about these alone, and `last` is one of them.
ALTER TABLE jobs ADD COLUMN is_ours INTEGER NOT NULL DEFAULT 1;
CREATE INDEX jobs_ours ON jobs (number) WHERE is_ours = 1;
CREATE INDEX jobs_ours_live ON jobs (number) WHERE is_ours = 1 AND is_final = 0;
