-- Moves a member's read and delivered positions forwards.
--
-- KEYS  1 room  2 members  3 receipts  4 receipt versions
-- ARGV  1 user id  2 seq
-- Returns {'ok', member}, {'missing'} for no room, or {'stranger'} for one who isn't a member now.

local keys = { receipts = KEYS[3], receiptVersions = KEYS[4] }
local room = loadRoom(KEYS[1])
if not room then
  return { 'missing' }
end
local row = redis.call('HGET', KEYS[2], ARGV[1])
if not row or not cjson.decode(row).active then
  return { 'stranger' }
end
moveReceipts(keys, room, ARGV[1], math.min(tonumber(ARGV[2]), room.seq), now())
redis.call('HSET', KEYS[1], 'receipts', room.receipts)
return { 'ok', memberJSON(ARGV[1], row, redis.call('HGET', KEYS[3], ARGV[1])) }
