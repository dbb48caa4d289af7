-- Reads some rooms of one bucket with one user's row in each.
--
-- KEYS  for each room: room, members, receipts
-- ARGV  1 user id
-- Returns {'ok', ...}: for each room {room, member}, or {} where the user isn't a member now.

local answer = { 'ok' }
for i = 1, #KEYS, 3 do
  local pair = {}
  local row = redis.call('HGET', KEYS[i + 1], ARGV[1])
  if row and cjson.decode(row).active then
    local receipts = redis.call('HGET', KEYS[i + 2], ARGV[1])
    pair = { describe(KEYS[i], loadRoom(KEYS[i])), memberJSON(ARGV[1], row, receipts) }
  end
  answer[#answer + 1] = pair
end
return answer
