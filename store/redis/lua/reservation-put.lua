-- Keeps a new reservation.
--
-- KEYS  1 reservation
-- ARGV  1 user id  2 state  3 for how long, in ms
-- Returns {'ok'}.

redis.call('HSET', KEYS[1], 'user', ARGV[1], 'version', 1, 'state', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 'ok' }
