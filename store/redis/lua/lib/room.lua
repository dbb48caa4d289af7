-- The numbers of a room's hash that scripts change together.
local ROOM_NUMBERS = {
  'epoch', 'epochStart', 'offset', 'check', 'seq', 'version', 'members', 'owners', 'receipts', 'bytes', 'oldest',
}

-- loadRoom reads the room's numbers; nil for a room that isn't there.
local function loadRoom(key)
  local values = redis.call('HMGET', key, unpack(ROOM_NUMBERS))
  if not values[1] then
    return nil
  end
  local room = {}
  for i, name in ipairs(ROOM_NUMBERS) do
    room[name] = tonumber(values[i])
  end
  return room
end

local function saveRoom(key, room)
  local fields = {}
  for i, name in ipairs(ROOM_NUMBERS) do
    fields[2 * i - 1], fields[2 * i] = name, room[name]
  end
  redis.call('HSET', key, unpack(fields))
end

-- list moves a room to a new place among the public rooms; '' is none.
local function list(keys, id, place)
  local before = redis.call('HGET', keys.room, 'publicKey') or ''
  if before == place then
    return
  end
  if before ~= '' then
    redis.call('ZREM', keys.public, before)
  end
  if place ~= '' then
    redis.call('ZADD', keys.public, 0, place)
  end
  redis.call('HSET', keys.room, 'publicKey', place)
end
