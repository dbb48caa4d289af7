-- Records a revocation, unless one for the same tokens is there that isn't older.
--
-- KEYS  1 revocations  2 revoked  3 bucket  4 recent
-- ARGV  1 what: 'u:' and a user's id, or 't:' and a token's  2 when it was made (unix ms), 0 for now
--       3 for how long to keep it from then on in ms, 0 for ever  4 most of all  5 channel  6 publish command  7 mark
-- Returns {'ok', made, until or 0}, of what is recorded now, or {'full'}.

local at = now()
local what, made, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if made == 0 then
  made = at
end
local ends = keep > 0 and made + keep or 0

-- Those whose time is over go first, from the oldest on.
for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, 99)) do
  local over = tonumber(string.match(redis.call('HGET', KEYS[2], old) or '0 1', ' (%d+)$'))
  if over == 0 or over > at then
    break
  end
  redis.call('ZREM', KEYS[1], old)
  redis.call('HDEL', KEYS[2], old)
end

local before = redis.call('HGET', KEYS[2], what)
if before then
  local was, over = string.match(before, '^(%d+) (%d+)$')
  if tonumber(was) >= made then
    return { 'ok', was, over }
  end
elseif redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
  return { 'full' }
end
local text = string.format('%.0f %.0f', made, ends)
if ends ~= 0 and ends <= at then
  return { 'ok', string.format('%.0f', made), string.format('%.0f', ends) }
end
-- Marks are times, so that they grow even after a loss of data.
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
redis.call('ZADD', KEYS[1], string.format('%.0f', math.max(at, (tonumber(last) or 0) + 1)), what)
redis.call('HSET', KEYS[2], what, text)
notify({ bucket = KEYS[3], recent = KEYS[4], channel = ARGV[5], publish = ARGV[6], mark = ARGV[7] }, 'revocations', '')
return { 'ok', string.format('%.0f', made), string.format('%.0f', ends) }
