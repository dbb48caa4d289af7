-- Ends an instance's lease now. It is kept as lapsed, so that it can't be renewed.
--
-- KEYS  1 leases
-- ARGV  1 instance
-- Returns {'ok'}.

redis.call('ZADD', KEYS[1], 'LT', now(), ARGV[1])
return { 'ok' }
