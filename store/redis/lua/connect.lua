-- Records a device of a user; a user without devices becomes ONLINE.
--
-- KEYS  1 devices  2 presence  3 the instance's users  4 instances  5 grace  6 bucket  7 recent
-- ARGV  1 instance  2 device  3 user id  4 name  5 avatar  6 channel  7 publish command  8 mark
-- Returns {'ok'}.

local user = ARGV[3]
redis.call('HSET', KEYS[1], device(ARGV[1], ARGV[2]), 1)
redis.call('SADD', KEYS[3], user)
redis.call('SADD', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[5], user)
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[2], 'name', ARGV[4], 'avatar', ARGV[5])
end
if redis.call('HGET', KEYS[2], 'status') ~= 'ONLINE' then
  setStatus(KEYS[2], { bucket = KEYS[6], recent = KEYS[7], channel = ARGV[6], publish = ARGV[7], mark = ARGV[8] },
    user, 'ONLINE')
end
return { 'ok' }
