-- Reads the entries after a position, hydrated, once the position itself has been verified.
--
-- KEYS  1 room  2 log  3 members  4 messages  5 receipts
-- ARGV  1, 2, 3 the position's epoch, offset and check  4 most entries  5 most bytes (one entry in any case)
-- Returns {'page', tail's epoch, offset, check, seq, event, ...}, {'missing'}, or {reason, tail's ...}
--         where the log can't be continued, the reason being 'trimmed' or 'lost'.

local keys = { room = KEYS[1], log = KEYS[2], members = KEYS[3], messages = KEYS[4], receipts = KEYS[5] }
local epoch, offset, check = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local limit, bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local room = loadRoom(keys.room)
if not room then
  return { 'missing' }
end

local function answer(status)
  return { status, room.epoch, room.offset, room.check, room.seq }
end

if offset > 0 and (epoch ~= room.epoch or offset > room.offset) then
  return answer('lost')
end
if offset == room.offset then
  return answer((offset == 0 or check == room.check) and 'page' or 'lost')
end
local found = redis.call('XRANGE', keys.log, math.max(offset, 1), '+', 'COUNT', limit + 1)
local first = found[1] and parse(found[1])
if not first or first.offset > offset + 1 then
  return answer((offset == 0 or offset >= room.epochStart) and 'trimmed' or 'lost')
end
if offset > 0 and tonumber(first.offset == offset and first.check or first.prev) ~= check then
  return answer('lost')
end
local page = answer('page')
for i = first.offset == offset and 2 or 1, #found do
  local event = hydrate(keys, parse(found[i]))
  bytes = bytes - #event
  if #page - 5 == limit or (#page > 5 and bytes < 0) then
    break
  end
  page[#page + 1] = event
end
return page
