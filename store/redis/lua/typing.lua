-- Changes a room's typing set: somebody types until ttl from now, or no more; and drops whose time is
-- over. A changed set is published, a mere refresh isn't.
--
-- KEYS  1 typing  2 typing due  3 bucket  4 recent
-- ARGV  1 room id  2 user id, '' to drop only  3 name  4 avatar  5 ttl in ms, 0 for no more  6 most users
--       7 channel  8 publish command  9 mark
-- Returns {'ok'}.

local at = now()
local room, user, ttl = ARGV[1], ARGV[2], tonumber(ARGV[5])
local set, count, over = typists(KEYS[1], at)
local changed = #over > 0
for _, id in ipairs(over) do
  redis.call('HDEL', KEYS[1], id)
end

local before = set[user]
if ttl > 0 and (before or count < tonumber(ARGV[6])) then
  local typist = { name = ARGV[3], avatar = ARGV[4], ends = at + ttl }
  changed = changed or not before or before.name ~= typist.name or before.avatar ~= typist.avatar
  set[user] = typist
  redis.call('HSET', KEYS[1], user, cjson.encode(typist))
elseif ttl == 0 and before then
  changed = true
  set[user] = nil
  redis.call('HDEL', KEYS[1], user)
end

local first, last
for _, typist in pairs(set) do
  first, last = math.min(first or typist.ends, typist.ends), math.max(last or typist.ends, typist.ends)
end
if first then
  redis.call('ZADD', KEYS[2], first, room)
else
  redis.call('ZREM', KEYS[2], room)
end
if changed then
  local version = redis.call('HINCRBY', KEYS[1], '', 1)
  notify({ bucket = KEYS[3], recent = KEYS[4], channel = ARGV[7], publish = ARGV[8], mark = ARGV[9] },
    'typing/' .. room, typingJSON(set, version))
end
-- A room in which nobody types for a day begins to count anew.
redis.call('PEXPIRE', KEYS[1], 86400000 + (last or at) - at)
return { 'ok' }
