-- Opens a ticket, which then lives until it expires, and tells those who watch it.
--
-- KEYS  1 ticket  2 bucket  3 recent
-- ARGV  1 ticket id  2 channel  3 publish command  4 mark
-- Returns {'ok', user id, expires, openings}, or {'none'}.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 'none' }
end
local openings = redis.call('HINCRBY', KEYS[1], 'openings', 1)
local ticket = redis.call('HMGET', KEYS[1], 'user', 'expires')
redis.call('PEXPIREAT', KEYS[1], ticket[2])
if openings > 1 then
  notify({ bucket = KEYS[2], recent = KEYS[3], channel = ARGV[2], publish = ARGV[3], mark = ARGV[4] },
    'ticket/' .. ARGV[1], '')
end
return { 'ok', ticket[1], ticket[2], openings }
