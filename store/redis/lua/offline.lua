-- Takes a user OFFLINE whose grace is over, unless somebody has done so or a device has come.
--
-- KEYS  1 devices  2 presence  3 grace  4 bucket  5 recent
-- ARGV  1 user id  2 channel  3 publish command  4 mark
-- Returns {'ok'}.

local at = now()
local due = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not due or tonumber(due) > at then
  return { 'ok' }
end
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 and redis.call('HGET', KEYS[2], 'status') ~= 'OFFLINE' then
  setStatus(KEYS[2], { bucket = KEYS[4], recent = KEYS[5], channel = ARGV[2], publish = ARGV[3], mark = ARGV[4] },
    ARGV[1], 'OFFLINE')
end
return { 'ok' }
