-- Says what there is to sweep in a bucket.
--
-- KEYS  1 instances  2 grace  3 typing due
-- ARGV  1 most of each
-- Returns {'ok', {instance with devices here, ...}, {user whose grace is over, ...}, {room with expired
--         typing, ...}}.

local at = now()
return {
  'ok',
  redis.call('SMEMBERS', KEYS[1]),
  redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', at, 'LIMIT', 0, ARGV[1]),
  redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', at, 'LIMIT', 0, ARGV[1]),
}
