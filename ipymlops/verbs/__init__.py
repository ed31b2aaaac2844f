"""One file per user action; `VERBS` is the table that every front door reads."""
