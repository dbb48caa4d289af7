-- Notes in a user's list that a ticket was put or opened.
--
-- KEYS  1 tickets
-- ARGV  1 ticket id  2 when the ticket expires (unix ms)  3 most tickets
-- Returns {'ok', {id of a ticket that is one too many, ...}}.

local at = now()
redis.call('ZADD', KEYS[1], string.format('%.0f', at), ARGV[1])
local left = string.format('%.0f', math.max(1, tonumber(ARGV[2]) - at))
if tonumber(left) > redis.call('PTTL', KEYS[1]) then
  redis.call('PEXPIRE', KEYS[1], left)
end
local dropped = {}
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[3])
if over > 0 then
  local popped = redis.call('ZPOPMIN', KEYS[1], over)
  for i = 1, #popped, 2 do
    dropped[#dropped + 1] = popped[i]
  end
end
return { 'ok', dropped }
