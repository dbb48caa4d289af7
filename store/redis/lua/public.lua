-- Looks through a bucket's public rooms, in the order of their keys (lower-cased name, NUL, id).
--
-- KEYS  1 public rooms
-- ARGV  1 the key to go on after, '' for the start  2 what the name contains, '' for anything
--       3 most results  4 most keys to look at
-- Returns {'ok', 1 if all was looked through, the last key looked at, key, ...}.

local limit, look = tonumber(ARGV[3]), tonumber(ARGV[4])
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local seen = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, look)
local answer = { 'ok', 1, ARGV[1] }
for i, key in ipairs(seen) do
  answer[3] = key
  local name = string.match(key, '^(.*)%z')
  if string.find(name, ARGV[2], 1, true) then
    answer[#answer + 1] = key
    if #answer - 3 == limit then
      answer[2] = i == #seen and #seen < look and 1 or 0
      return answer
    end
  end
end
answer[2] = #seen < look and 1 or 0
return answer
