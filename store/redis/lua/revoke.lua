-- Records a revocation, unless one for the same tokens is there that isn't older.
--
-- KEYS  1 revocations  2 revoked  3 revocations-due  4 bucket  5 recent
-- ARGV  1 what: 'u:' and a user's id, or 't:' and a token's  2 when it was made (unix ms), 0 for now
--       3 for how long to keep it from then on in ms, 0 for ever  4 most of all  5 channel  6 publish command  7 mark
-- Returns {'ok', made, until or 0}, of what is recorded now, or {'full'}.

local at = now()
local what, made, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if made == 0 then
  made = at
end
local ends = keep > 0 and made + keep or 0

-- untilOf is when a revocation is over, 0 for never.
local function untilOf(one)
  return tonumber(string.match(redis.call('HGET', KEYS[2], one) or '0 1', ' (%d+)$'))
end

-- schedule notes when a revocation goes.
local function schedule(one, ends)
  redis.call('ZADD', KEYS[3], ends == 0 and '+inf' or string.format('%.0f', ends), one)
end

-- catchUp schedules what is recorded after the last mark up to which that was done: by Parley before it
-- scheduled, or by such a node beside this one.
local function catchUp()
  local done = redis.call('HGET', KEYS[2], '') or '0'
  local later = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. done, '+inf', 'WITHSCORES', 'LIMIT', 0, 1000)
  for i = 1, #later, 2 do
    schedule(later[i], untilOf(later[i]))
  end
  if #later > 0 then
    redis.call('HSET', KEYS[2], '', later[#later])
  end
end

local function record()
  local before = redis.call('HGET', KEYS[2], what)
  local was, over = string.match(before or '', '^(%d+) (%d+)$')
  if before and (over == '0' or tonumber(over) > at) then
    if tonumber(was) >= made then
      return { 'ok', was, over }
    end
  elseif redis.call('ZCARD', KEYS[1]) - redis.call('ZCOUNT', KEYS[3], '-inf', at) >= tonumber(ARGV[4]) then
    return { 'full' }
  end
  local answer = { 'ok', string.format('%.0f', made), string.format('%.0f', ends) }
  if ends ~= 0 and ends <= at then
    return answer
  end
  -- Marks are times, so that they hardly come again after a loss of data.
  local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', KEYS[1], string.format('%.0f', math.max(at, (tonumber(last) or 0) + 1)), what)
  redis.call('HSET', KEYS[2], what, answer[2] .. ' ' .. answer[3])
  schedule(what, ends)
  notify({ bucket = KEYS[4], recent = KEYS[5], channel = ARGV[5], publish = ARGV[6], mark = ARGV[7] }, 'revocations', '')
  return answer
end

-- sweep removes some of those that are over, unless a node that doesn't schedule has prolonged them. It
-- may empty the sets, and so comes last.
local function sweep()
  local gone = {}
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', at, 'LIMIT', 0, 100)) do
    local over = untilOf(old)
    if over == 0 or over > at then
      schedule(old, over)
    else
      gone[#gone + 1] = old
    end
  end
  if #gone > 0 then
    redis.call('ZREM', KEYS[1], unpack(gone))
    redis.call('HDEL', KEYS[2], unpack(gone))
    redis.call('ZREM', KEYS[3], unpack(gone))
  end
end

catchUp()
local answer = record()
sweep()
return answer
