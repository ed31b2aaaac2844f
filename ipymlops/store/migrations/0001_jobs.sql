-- One row a job: small columns to search, sort and filter by. What it says as a whole is in `records`.
CREATE TABLE jobs (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT    NOT NULL UNIQUE,
  name        TEXT    NOT NULL,
  platform    TEXT    NOT NULL,
  state       TEXT    NOT NULL,
  is_final    INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,  -- microseconds since 1970, UTC
  fingerprint TEXT    NOT NULL,
  text        TEXT    NOT NULL   -- the searched fields, case-folded (store/words.py)
);
CREATE INDEX jobs_name ON jobs (name);
CREATE INDEX jobs_state ON jobs (state);
CREATE INDEX jobs_platform ON jobs (platform);
CREATE INDEX jobs_created ON jobs (created_at);
CREATE INDEX jobs_live ON jobs (fingerprint) WHERE is_final = 0;

-- The job and its intent as ASCII JSON, so that a lone surrogate (a byte that is no UTF-8) survives.
CREATE TABLE records (
  number INTEGER PRIMARY KEY REFERENCES jobs (number),
  job    TEXT NOT NULL,
  intent TEXT
);

-- Rows that the word index does not know yet, with the text it still knows them by (NULL: none).
-- Triggers fill it, so that a process whose SQLite has no trigram index can write too.
CREATE TABLE stale (
  number INTEGER PRIMARY KEY,
  old    TEXT
);
CREATE TRIGGER jobs_added AFTER INSERT ON jobs BEGIN
  INSERT OR IGNORE INTO stale VALUES (new.number, NULL);
END;
CREATE TRIGGER jobs_changed AFTER UPDATE OF text ON jobs WHEN old.text IS NOT new.text BEGIN
  INSERT OR IGNORE INTO stale VALUES (new.number, old.text);
END;
