-- Creates a room with its log; the owner and further members join in the same step.
--
-- KEYS  1 room  2 log  3 members  4 active members  5 messages  6 receipts
--       7 the bucket's public rooms  8 bucket  9 recent
-- ARGV  1 the request, as JSON:
--         room, type, epoch   the room's id and type, and its log's random mark
--         channel, publish    where hints go, and by which command
--         joining             list of {user: {id, name, avatar}, role, check}
--         publicKey           the room's place among the public ones, '' for none
--         keep                retention: {entries, bytes, maxAge, minAge}
--       2 the settings as JSON  3 the id and name of who creates it as JSON, '' for nobody
-- Returns {'ok', room} or {'taken'}.

local a, settings = cjson.decode(ARGV[1]), ARGV[2]
local keys = {
  room = KEYS[1], log = KEYS[2], members = KEYS[3], active = KEYS[4], messages = KEYS[5], receipts = KEYS[6],
  public = KEYS[7],
}
if redis.call('HEXISTS', keys.room, 'epoch') == 1 then
  return { 'taken' }
end
local at = now()
local room = {
  epoch = a.epoch, epochStart = 1, offset = 0, check = 0, seq = 0, version = 1, members = 0, owners = 0,
  receipts = 0, bytes = 0, oldest = 0, expires = 0, lastMessage = 0,
}
local rows = rowsOf(keys.members)
local entries = {}
for i, joining in ipairs(a.joining) do
  local entry = nextEntry(room, JOINED, joining.check, at)
  entry.actor = ARGV[3]
  entry.target = joining.user.id
  join(keys, room, rows, entry, joining.user, joining.role)
  store(keys, room, entry)
  entries[i] = entry
end
room.version = 1 -- the owner who comes with the room is no change of it
redis.call('HSET', keys.room, 'type', a.type, 'settings', settings, 'created', at, 'updated', at)
list(keys, a.room, a.publicKey)
if #entries > 0 then
  trim(keys, room, a.keep, at)
end
saveRoom(keys.room, room)
for _, entry in ipairs(entries) do
  notify({ bucket = KEYS[8], recent = KEYS[9], channel = a.channel, publish = a.publish, mark = entry.check },
    a.room, hydrate(keys, entry))
end
return { 'ok', describe(keys.room, room) }
