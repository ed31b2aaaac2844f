-- The word index, where this SQLite has trigrams (3.34): which jobs have a sequence of three characters, not where.
-- The text is folded already, and kept in `jobs` alone.
CREATE VIRTUAL TABLE words USING fts5 (
  text, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1'
);
CREATE VIRTUAL TABLE terms USING fts5vocab ('words', 'row');

-- Whatever older processes without an index have written waits here; the next write indexes it.
DELETE FROM stale;
INSERT INTO stale SELECT number, NULL FROM jobs;
