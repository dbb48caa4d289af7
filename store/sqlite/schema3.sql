-- Format 3: reservations of event streams. Times are Unix milliseconds.

CREATE TABLE reservation (
  id      TEXT PRIMARY KEY,
  user    TEXT NOT NULL,
  version INTEGER NOT NULL,
  state   TEXT NOT NULL,              -- JSON
  due_at  INTEGER NOT NULL            -- when it goes
) STRICT, WITHOUT ROWID;
CREATE INDEX reservation_user ON reservation (user, due_at);
CREATE INDEX reservation_due ON reservation (due_at);

CREATE TABLE reservation_part (
  reservation TEXT NOT NULL,
  name        TEXT NOT NULL,
  value       TEXT NOT NULL,          -- JSON
  PRIMARY KEY (reservation, name)
) STRICT, WITHOUT ROWID;
