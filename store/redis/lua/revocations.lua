-- Reads the revocations recorded after a mark.
--
-- KEYS  1 revocations  2 revoked
-- ARGV  1 mark  2 most
-- Returns {'ok', {what, mark, 'made until', ...}, now in unix ms}.

local page = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local list = {}
for i = 1, #page, 2 do
  list[#list + 1] = page[i]
  list[#list + 1] = page[i + 1]
  list[#list + 1] = redis.call('HGET', KEYS[2], page[i]) or '0 1'
end
return { 'ok', list, now() }
