-- Ends the epoch of a log that disagrees with a position once read from it: a new epoch begins at
-- the tail + 1, with a reset entry. A node that lost the race finds the epoch changed.
--
-- KEYS  1 room  2 log  3 bucket  4 recent
-- ARGV  1 room's id  2, 3, 4 the position's epoch, offset and check  5 new epoch  6 reset entry's check
--       7 channel  8 publish command  9 retention as JSON
-- Returns {'ok'}, whether anything had to be done or not, or {'missing'}.

local keys = { room = KEYS[1], log = KEYS[2] }
local room = loadRoom(keys.room)
if not room then
  return { 'missing' }
end
local seen = { epoch = tonumber(ARGV[2]), offset = tonumber(ARGV[3]), check = tonumber(ARGV[4]) }

local function agrees()
  if seen.offset == 0 then
    return true
  elseif seen.offset >= room.offset then
    return seen.offset == room.offset and seen.check == room.check
  end
  local found = redis.call('XRANGE', keys.log, seen.offset, seen.offset)
  return not found[1] or tonumber(parse(found[1]).check) == seen.check
end

if seen.epoch ~= room.epoch or agrees() then
  return { 'ok' }
end
local at = now()
room.epoch, room.epochStart = tonumber(ARGV[5]), room.offset + 1
local entry = nextEntry(room, RESET, tonumber(ARGV[6]), at)
store(keys, room, entry)
trim(keys, room, cjson.decode(ARGV[9]), at)
saveRoom(keys.room, room)
notify({ bucket = KEYS[3], recent = KEYS[4], channel = ARGV[7], publish = ARGV[8], mark = ARGV[6] },
  ARGV[1], hydrate(keys, entry))
return { 'ok' }
