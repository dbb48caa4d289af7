-- Charges a cost to a rate.
--
-- KEYS  1 rate
-- ARGV  1 spacing  2 depth, both in microseconds  3 times
-- Returns {'ok'}, or {'limited', 1, microseconds until it would be covered}.

local which, wait = pay(KEYS, 1, { { tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]) } }, micros())
if which then
  return { 'limited', which, wait }
end
return { 'ok' }
