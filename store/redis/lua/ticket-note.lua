-- Notes in a user's list that a ticket was put or opened.
--
-- KEYS  1 tickets  2 tickets-due
-- ARGV  1 ticket id  2 when the ticket expires (unix ms)  3 for how long it waits to be opened, in ms, 0 once it
--       has been  4 most tickets
-- Returns {'ok', {id of a ticket that is one too many, ...}}.

local at = now()
local expires, wait = tonumber(ARGV[2]), tonumber(ARGV[3])
local due = wait > 0 and math.min(expires, at + wait) or expires
redis.call('ZADD', KEYS[1], string.format('%.0f', at), ARGV[1])
redis.call('ZADD', KEYS[2], string.format('%.0f', due), ARGV[1])
local left = math.max(1, expires - at)
for i = 1, 2 do
  if left > redis.call('PTTL', KEYS[i]) then
    redis.call('PEXPIRE', KEYS[i], string.format('%.0f', left))
  end
end

-- Others that have ended by themselves go first, and needn't be dropped.
for _, over in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', at, 'LIMIT', 0, 1000)) do
  if over ~= ARGV[1] then
    redis.call('ZREM', KEYS[1], over)
    redis.call('ZREM', KEYS[2], over)
  end
end

local dropped = {}
local over = math.min(1000, redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4]))
if over > 0 then
  local popped = redis.call('ZPOPMIN', KEYS[1], over)
  for i = 1, #popped, 2 do
    dropped[#dropped + 1] = popped[i]
  end
  redis.call('ZREM', KEYS[2], unpack(dropped))
end
return { 'ok', dropped }
