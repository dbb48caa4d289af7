-- Reads a page of the present members in the order of their user ids.
--
-- KEYS  1 room  2 members  3 active members  4 receipts
-- ARGV  1 the id to go on after, '' for the start  2 limit
-- Returns {'ok', total, more (0 or 1), member, ...} or {'missing'}.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 'missing' }
end
local limit = tonumber(ARGV[2])
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local users = redis.call('ZRANGEBYLEX', KEYS[3], from, '+', 'LIMIT', 0, limit + 1)
local answer = { 'ok', redis.call('ZCARD', KEYS[3]), #users > limit and 1 or 0 }
for i = 1, math.min(#users, limit) do
  local user = users[i]
  answer[#answer + 1] =
    memberJSON(user, redis.call('HGET', KEYS[2], user), redis.call('HGET', KEYS[4], user))
end
return answer
