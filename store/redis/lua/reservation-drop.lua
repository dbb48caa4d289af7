-- Drops a reservation, and tells those who watch it.
--
-- KEYS  1 reservation  2 bucket  3 recent
-- ARGV  1 reservation id  2 channel  3 publish command  4 mark
-- Returns {'ok', user id}, or {'none'}.

local user = redis.call('HGET', KEYS[1], 'user')
if not user then
  return { 'none' }
end
redis.call('DEL', KEYS[1])
notify({ bucket = KEYS[2], recent = KEYS[3], channel = ARGV[2], publish = ARGV[3], mark = ARGV[4] },
  'reservation/' .. ARGV[1], '')
return { 'ok', user }
