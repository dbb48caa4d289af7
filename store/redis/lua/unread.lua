-- Counts the messages a member hasn't read.
--
-- KEYS  1 room  2 members  3 receipts  4 deleted seqs
-- ARGV  1 user id
-- Returns {'ok', count} or {'missing'}.

local seq = tonumber(redis.call('HGET', KEYS[1], 'seq'))
if not seq then
  return { 'missing' }
end
local stored = redis.call('HGET', KEYS[2], ARGV[1])
local row = stored and cjson.decode(stored)
if not row or not row.active then
  return { 'ok', 0 }
end
local receipts = redis.call('HGET', KEYS[3], ARGV[1])
local read = receipts and tonumber(string.match(receipts, ',(%d+),')) or 0
local from = math.max(read, row.joinedSeq)
return { 'ok', seq - from - redis.call('ZCOUNT', KEYS[4], '(' .. from, '+inf') }
