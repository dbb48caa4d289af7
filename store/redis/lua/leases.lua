-- Lists the instances whose leases hold, and forgets those that lapsed a day ago.
--
-- KEYS  1 leases
-- Returns {'ok', {instance, ...}}.

local at = now()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at - 86400000)
return { 'ok', redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. at, '+inf') }
