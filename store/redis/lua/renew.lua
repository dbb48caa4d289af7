-- Extends the lease of a node's instance.
--
-- KEYS  1 leases
-- ARGV  1 instance  2 ttl in ms  3 what the caller last knew the lease to end at, 0 for a first renewal
-- Returns {'ok', the end of the lease in unix ms} or {'lapsed'}: also where the lease is gone, or ends
--         earlier than it was known to, since then the store has lost what it knew of the instance.

local at, known = now(), tonumber(ARGV[3])
local ends = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil)
if ends and ends <= at then
  return { 'lapsed' }
end
if known > 0 and (not ends or ends < known) then
  redis.call('ZADD', KEYS[1], at, ARGV[1])
  return { 'lapsed' }
end
ends = at + tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], ends, ARGV[1])
return { 'ok', ends }
