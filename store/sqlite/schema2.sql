-- Format 2: revocations and tickets. Times are Unix milliseconds.

CREATE TABLE revocation (
  mark       INTEGER PRIMARY KEY AUTOINCREMENT,
  what       TEXT NOT NULL UNIQUE,    -- 'u:' and a user's id, or 't:' and a token's
  made_at    INTEGER NOT NULL,
  expires_at INTEGER NOT NULL         -- 0 for never
) STRICT;
CREATE INDEX revocation_expires ON revocation (expires_at) WHERE expires_at > 0;

CREATE TABLE ticket (
  id         TEXT PRIMARY KEY,
  user       TEXT NOT NULL,
  payload    TEXT NOT NULL,       -- JSON
  expires_at INTEGER NOT NULL,        -- of the token it was made with
  due_at     INTEGER NOT NULL,        -- when it goes: unless it is opened, before it expires
  openings   INTEGER NOT NULL,
  used_at    INTEGER NOT NULL         -- when it was put, or opened last
) STRICT, WITHOUT ROWID;
CREATE INDEX ticket_user ON ticket (user, used_at);
CREATE INDEX ticket_due ON ticket (due_at);
