-- Reads a page of messages, with the room in the same step.
--
-- KEYS  1 room  2 members  3 messages
-- ARGV  1 the query, as JSON: after, before (seqs, excluded, 0 for open), limit, fromEnd,
--         readable (list of [from, to) offsets, to = 0 for open), expect {room, members}
-- Returns {'ok', room, readable ones before the page, ... after it, message, ...}, {'missing'} or
--         {'moved'}.

local q = cjson.decode(ARGV[1])
local room = loadRoom(KEYS[1])
if not room then
  return { 'missing' }
end
local rows = rowsOf(KEYS[2])
if q.expect.room and q.expect.room ~= room.version then
  return { 'moved' }
end
for user, version in pairs(q.expect.members or {}) do
  if version ~= rows.version(user) then
    return { 'moved' }
  end
end

local function sentAt(seq)
  return tonumber(string.match(redis.call('HGET', KEYS[3], seq), '"sent":%[%d+,(%d+)'))
end

-- firstSentAt is the first seq whose message was sent at an offset or later; seqs and offsets grow
-- together.
local function firstSentAt(offset)
  local low, high = 1, room.seq + 1
  while offset > 1 and low < high do
    local middle = math.floor((low + high) / 2)
    if sentAt(middle) >= offset then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

-- range is the seqs of the i-th readable interval, first > last for none.
local ranges = {}
local function range(i)
  if not ranges[i] then
    local from, to = q.readable[i][1], q.readable[i][2]
    ranges[i] = { firstSentAt(from), to == 0 and room.seq or firstSentAt(to) - 1 }
  end
  return ranges[i][1], ranges[i][2]
end

local low = q.after + 1
local high = q.before > 0 and math.min(q.before - 1, room.seq) or room.seq
local seqs = {}

local function forwards()
  for i = 1, #q.readable do
    local first, last = range(i)
    for seq = math.max(first, low), math.min(last, high) do
      if #seqs == q.limit then
        return
      end
      seqs[#seqs + 1] = seq
    end
  end
end

local function backwards()
  for i = #q.readable, 1, -1 do
    local first, last = range(i)
    for seq = math.min(last, high), math.max(first, low), -1 do
      if #seqs == q.limit then
        return
      end
      seqs[#seqs + 1] = seq
    end
  end
end

local function reverse(list)
  for i = 1, math.floor(#list / 2) do
    list[i], list[#list + 1 - i] = list[#list + 1 - i], list[i]
  end
end

-- anyBelow and anyAbove say whether there are readable messages on a side of a seq, 1 or 0.
local function anyBelow(seq)
  for i = 1, #q.readable do
    local first, last = range(i)
    if first <= last then
      return first < seq and 1 or 0
    end
  end
  return 0
end

local function anyAbove(seq)
  for i = #q.readable, 1, -1 do
    local first, last = range(i)
    if first <= last then
      return last > seq and 1 or 0
    end
  end
  return 0
end

local before, after
if q.fromEnd then
  backwards()
  reverse(seqs)
  before, after = anyBelow(seqs[1] or high + 1), anyAbove(high)
else
  forwards()
  before, after = anyBelow(low), anyAbove(seqs[#seqs] or low - 1)
end

local answer = { 'ok', describe(KEYS[1], room), before, after }
for _, seq in ipairs(seqs) do
  answer[#answer + 1] = redis.call('HGET', KEYS[3], seq)
end
return answer
