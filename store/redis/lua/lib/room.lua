-- The numbers of a room's hash that scripts change together.
local ROOM_NUMBERS = {
  'epoch', 'epochStart', 'offset', 'check', 'seq', 'version', 'members', 'owners', 'receipts', 'bytes', 'oldest',
  'expires', 'lastMessage',
}

-- loadRoom reads the room's numbers; nil for a room that isn't there.
local function loadRoom(key)
  local values = redis.call('HMGET', key, unpack(ROOM_NUMBERS))
  if not values[1] then
    return nil
  end
  local room = { loaded = values }
  for i, name in ipairs(ROOM_NUMBERS) do
    values[i] = tonumber(values[i] or 0)
    room[name] = values[i]
  end
  return room
end

-- describe is a room as Go reads it.
local function describe(key, room)
  local fields = redis.call('HMGET', key, 'type', 'settings', 'created', 'updated', 'archived')
  return {
    fields[1], fields[2], fields[3], fields[4], fields[5], room.lastMessage, room.version, room.members,
    room.owners, room.seq, room.epoch, room.offset, room.check,
  }
end

-- saveRoom writes the numbers that have changed.
local function saveRoom(key, room)
  local fields, loaded = {}, room.loaded or {}
  for i, name in ipairs(ROOM_NUMBERS) do
    if room[name] ~= loaded[i] then
      fields[#fields + 1] = name
      fields[#fields + 1] = room[name]
    end
  end
  redis.call('HSET', key, unpack(fields))
end

-- list moves a room to a new place among the public rooms; '' is none.
local function list(keys, id, place)
  local before = redis.call('HGET', keys.room, 'publicKey') or ''
  if before == place then
    return
  end
  redis.call('HSET', keys.room, 'publicKey', place)
  if place ~= '' then
    redis.call('ZADD', keys.public, 0, place)
  end
  if before ~= '' then -- last, since the set goes with its last room
    redis.call('ZREM', keys.public, before)
  end
end
