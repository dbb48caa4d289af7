-- A membership row is the JSON object {name, avatar, role, active, joined (unix ms), joinedSeq,
-- intervals: [[from, to], ...] with to = 0 while open, version, muted (unix ms)}.

-- memberJSON is a row with its user's id and receipts, as Go reads it.
local function memberJSON(user, row, receipts)
  return '{"id":' .. cjson.encode(user) .. ',"row":' .. row .. ',"receipts":' .. (receipts or '[0,0,0]') .. '}'
end

-- rowsOf gives access to rows that are read once and written when saved.
local function rowsOf(membersKey)
  local rows = {}
  local read = {}
  function rows.get(user)
    if read[user] == nil then
      local stored = redis.call('HGET', membersKey, user)
      read[user] = stored and cjson.decode(stored) or false
    end
    return read[user]
  end
  function rows.put(user, row)
    read[user] = row
    redis.call('HSET', membersKey, user, cjson.encode(row))
  end
  function rows.version(user)
    local row = rows.get(user)
    return row and row.version or 0
  end
  return rows
end

-- setRole gives an active row a role; an owner more or less moves the room's version.
local function setRole(room, row, role)
  local change = (role == 'OWNER' and 1 or 0) - (row.role == 'OWNER' and 1 or 0)
  row.role = role
  if change ~= 0 then
    room.owners = room.owners + change
    room.version = room.version + 1
  end
end

-- join makes a user a member at an entry.
local function join(keys, room, rows, entry, user, role)
  local row = rows.get(user.id) or { version = 0, intervals = {} }
  row.name, row.avatar = user.name, user.avatar
  row.active, row.joined, row.joinedSeq = true, entry.at, room.seq
  row.role = nil -- that of an earlier time doesn't count as an owner less
  setRole(room, row, role)
  table.insert(row.intervals, { entry.offset, 0 })
  row.version = row.version + 1
  rows.put(user.id, row)
  redis.call('ZADD', keys.active, 0, user.id)
  room.members = room.members + 1
end

-- part ends a membership at an entry, the last one inside.
local function part(keys, room, rows, entry, user)
  local row = rows.get(user)
  row.active = false
  row.intervals[#row.intervals][2] = entry.offset + 1
  row.version = row.version + 1
  if row.role == 'OWNER' then
    room.owners = room.owners - 1
    room.version = room.version + 1
  end
  rows.put(user, row)
  redis.call('ZREM', keys.active, user)
  room.members = room.members - 1
end

-- follow keeps the actor's row up to date with the name and picture they go by now.
local function follow(rows, actor, target)
  local row = actor.name and rows.get(actor.id)
  if not row or not (row.active or actor.id == target) then
    return
  end
  if row.name ~= actor.name or row.avatar ~= actor.avatar then
    row.name, row.avatar = actor.name, actor.avatar
    rows.put(actor.id, row)
  end
end
