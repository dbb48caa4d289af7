-- Removes a device of a user, or all that an instance has; with the last of all, the grace begins.
--
-- KEYS  1 devices  2 presence  3 the instance's users  4 instances  5 grace  6 bucket  7 recent
--       8 the rooms the user types in
-- ARGV  1 instance  2 device, '' for all of the instance's  3 user id  4 grace in ms
--       5 channel  6 publish command  7 mark
-- Returns {'ok', {room, ...}}: where the last device went, the rooms in which to clear the user's typing.

local instance, user, grace = ARGV[1], ARGV[3], tonumber(ARGV[4])
local mine, left = device(instance, ''), false
local gone = {}
local fields = redis.call('HKEYS', KEYS[1])
for _, field in ipairs(fields) do
  if field == device(instance, ARGV[2]) or (ARGV[2] == '' and string.sub(field, 1, #mine) == mine) then
    gone[#gone + 1] = field
  elseif string.sub(field, 1, #mine) == mine then
    left = true
  end
end
-- What remains is counted before anything is removed: where a cluster is moving the slot, a key that is
-- gone can't be asked for.
if not left then
  local users = redis.call('SCARD', KEYS[3])
  if redis.call('SREM', KEYS[3], user) == users then
    redis.call('SREM', KEYS[4], instance)
  end
end
for _, field in ipairs(gone) do
  redis.call('HDEL', KEYS[1], field)
end
if #gone == 0 or #gone < #fields then
  return { 'ok', {} }
end

local at = now()
redis.call('HSET', KEYS[2], 'seen', at)
if grace > 0 then
  redis.call('ZADD', KEYS[5], at + grace, user)
else
  redis.call('ZREM', KEYS[5], user)
  setStatus(KEYS[2], { bucket = KEYS[6], recent = KEYS[7], channel = ARGV[5], publish = ARGV[6], mark = ARGV[7] },
    user, 'OFFLINE')
end
return { 'ok', redis.call('SRANDMEMBER', KEYS[8], 100) }
