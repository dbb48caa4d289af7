-- Changes a reservation, unless another change came first, and tells those who watch it.
--
-- KEYS  1 reservation  2 bucket  3 recent
-- ARGV  1 reservation id  2 channel  3 publish command  4 mark  5 version expected  6 state
--       7 for how long it is kept from now on, in ms, 0 as long as before  8 how many parts to keep
--       9… name and value of each, then names of parts to forget
-- Returns {'ok', user id}, {'changed'} or {'none'}.

local version = redis.call('HGET', KEYS[1], 'version')
if not version then
  return { 'none' }
end
if version ~= ARGV[5] then
  return { 'changed' }
end
redis.call('HSET', KEYS[1], 'version', string.format('%.0f', version + 1), 'state', ARGV[6])
local at = 9
for _ = 1, ARGV[8] do
  redis.call('HSET', KEYS[1], 'part:' .. ARGV[at], ARGV[at + 1])
  at = at + 2
end
for i = at, #ARGV do
  redis.call('HDEL', KEYS[1], 'part:' .. ARGV[i])
end
if ARGV[7] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
end
notify({ bucket = KEYS[2], recent = KEYS[3], channel = ARGV[2], publish = ARGV[3], mark = ARGV[4] },
  'reservation/' .. ARGV[1], '')
return { 'ok', redis.call('HGET', KEYS[1], 'user') }
