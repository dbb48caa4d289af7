-- A member's receipts are the JSON list [delivered seq, read seq, read at in unix ms].

-- moveReceipts moves a member's positions up to seq, and the room's count of such changes; lower
-- ones stay. The caller saves the room.
local function moveReceipts(keys, room, user, seq, at)
  local stored = redis.call('HGET', keys.receipts, user) or '[0,0,0]'
  local delivered, read, readAt = string.match(stored, '(%d+),(%d+),(%d+)')
  delivered, read, readAt = tonumber(delivered), tonumber(read), tonumber(readAt)
  if seq <= delivered and seq <= read then
    return
  end
  if seq > read then
    read, readAt = seq, at
  end
  delivered = math.max(delivered, seq)
  room.receipts = room.receipts + 1
  redis.call('HSET', keys.receipts, user, '[' .. delivered .. ',' .. read .. ',' .. readAt .. ']')
  redis.call('ZADD', keys.receiptVersions, room.receipts, user)
end
