-- Format 1. Times are Unix milliseconds. Columns called room hold room.no, unless they are text.

CREATE TABLE room (
  no            INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  type          TEXT NOT NULL,
  name          TEXT NOT NULL,
  topic         TEXT NOT NULL,
  visibility    TEXT NOT NULL,
  history       TEXT NOT NULL,
  metadata      TEXT NOT NULL,     -- JSON, '' for none
  search_name   TEXT NOT NULL,     -- the name, lower-cased
  version       INTEGER NOT NULL,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  archived_at   INTEGER,
  member_count  INTEGER NOT NULL,
  owner_count   INTEGER NOT NULL
) STRICT;
CREATE INDEX room_public ON room (search_name, id) WHERE visibility = 'PUBLIC';

-- What moves with every entry of a room's log.
CREATE TABLE log (
  room            INTEGER PRIMARY KEY,
  epoch           INTEGER NOT NULL,
  tail            INTEGER NOT NULL,   -- offset of the last entry, 0 for none yet
  tail_mark       INTEGER NOT NULL,   -- its check
  last_seq        INTEGER NOT NULL,
  last_message_at INTEGER,
  first           INTEGER NOT NULL,   -- offset of the oldest entry kept; tail + 1 if none is
  first_at        INTEGER,            -- its time
  bytes           INTEGER NOT NULL    -- size of the entries kept
) STRICT;
CREATE INDEX log_oldest ON log (first_at) WHERE first_at IS NOT NULL;

CREATE TABLE entry (
  room         INTEGER NOT NULL,
  pos          INTEGER NOT NULL,      -- the offset
  epoch        INTEGER NOT NULL,
  mark         INTEGER NOT NULL,      -- the check
  prev         INTEGER NOT NULL,      -- the check of the entry before
  at           INTEGER NOT NULL,
  kind         INTEGER NOT NULL,
  actor        TEXT NOT NULL,         -- '' for the server
  actor_name   TEXT NOT NULL,
  actor_avatar TEXT NOT NULL,
  seq          INTEGER NOT NULL,      -- the room's last message at this entry
  message      INTEGER,               -- seq of the message concerned
  member       TEXT,                  -- user of the member concerned
  size         INTEGER NOT NULL,
  format       INTEGER NOT NULL,      -- of what is stored of an entry: 1
  PRIMARY KEY (room, pos)
) STRICT, WITHOUT ROWID;

CREATE TABLE member (
  room        INTEGER NOT NULL,
  user        TEXT NOT NULL,
  name        TEXT NOT NULL,
  avatar      TEXT NOT NULL,
  role        TEXT NOT NULL,
  active      INTEGER NOT NULL,
  joined_at   INTEGER NOT NULL,
  joined_seq  INTEGER NOT NULL,
  intervals   TEXT NOT NULL,          -- JSON
  version     INTEGER NOT NULL,
  delivered   INTEGER NOT NULL,
  read        INTEGER NOT NULL,
  read_at     INTEGER,
  muted_until INTEGER,
  PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_active ON member (room, user) WHERE active;
CREATE INDEX member_rooms ON member (user) WHERE active;

CREATE TABLE message (
  no            INTEGER PRIMARY KEY,
  room          INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  salt          TEXT NOT NULL,
  sender        TEXT NOT NULL,
  sender_name   TEXT NOT NULL,
  sender_avatar TEXT NOT NULL,
  type          TEXT NOT NULL,
  content       TEXT NOT NULL,
  client_id     TEXT NOT NULL,
  fingerprint   TEXT,                 -- of the request that sent it, while its key is remembered
  reply_to      INTEGER NOT NULL,     -- seq, 0 for none
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  edited_at     INTEGER,
  deleted_at    INTEGER,
  sent_epoch    INTEGER NOT NULL,     -- position of the sent entry
  sent          INTEGER NOT NULL,
  sent_mark     INTEGER NOT NULL,
  version       INTEGER NOT NULL,
  UNIQUE (room, seq)
) STRICT;
CREATE INDEX message_deleted ON message (room, seq) WHERE deleted_at IS NOT NULL;
CREATE UNIQUE INDEX message_request ON message (room, sender, client_id) WHERE fingerprint IS NOT NULL;

-- A lease that lapsed stays for a while, so that it isn't taken again.
CREATE TABLE lease (
  instance   TEXT PRIMARY KEY,
  expires_at INTEGER NOT NULL         -- 0: devices came, but the lease was never taken
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  user     TEXT NOT NULL,
  instance TEXT NOT NULL,
  device   TEXT NOT NULL,
  PRIMARY KEY (user, instance, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_instance ON device (instance);

CREATE TABLE presence (
  user      TEXT PRIMARY KEY,
  name      TEXT NOT NULL,
  avatar    TEXT NOT NULL,
  status    TEXT NOT NULL,
  version   INTEGER NOT NULL,
  last_seen INTEGER,
  due_at    INTEGER                   -- when the grace is over
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_due ON presence (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE typing (
  room   TEXT NOT NULL,               -- room.id
  user   TEXT NOT NULL,
  name   TEXT NOT NULL,
  avatar TEXT NOT NULL,
  until  INTEGER NOT NULL,
  PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX typing_until ON typing (until);
CREATE INDEX typing_user ON typing (user);

CREATE TABLE typing_version (
  room    TEXT PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
