-- Keeps a ticket that hasn't been opened.
--
-- KEYS  1 ticket
-- ARGV  1 user id  2 payload  3 when it expires (unix ms)  4 for how long it waits to be opened, in ms
-- Returns {'ok'}.

local left = math.min(tonumber(ARGV[4]), tonumber(ARGV[3]) - now())
if left > 0 then
  redis.call('HSET', KEYS[1], 'user', ARGV[1], 'payload', ARGV[2], 'expires', ARGV[3], 'openings', 0)
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(left)))
end
return { 'ok' }
