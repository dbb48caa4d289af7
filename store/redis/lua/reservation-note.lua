-- Notes in a user's list until when a reservation is kept.
--
-- KEYS  1 reservations
-- ARGV  1 reservation id  2 for how long it is kept from now on, in ms, 0 when it is kept no more
--       3 most reservations
-- Returns {'ok', {id of a reservation that is one too many, ...}}.

local at, ttl = now(), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', at))
if ttl == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return { 'ok', {} }
end
-- While it is put it counts as the last to end: it doesn't go itself.
redis.call('ZADD', KEYS[1], 'inf', ARGV[1])
local over, dropped = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[3]), {}
if over > 0 then
  local popped = redis.call('ZPOPMIN', KEYS[1], math.min(over, 1000))
  for i = 1, #popped, 2 do
    dropped[#dropped + 1] = popped[i]
  end
end
redis.call('ZADD', KEYS[1], string.format('%.0f', at + ttl), ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], last[2])
return { 'ok', dropped }
