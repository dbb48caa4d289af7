-- Reads what a decision rests on: the room, some membership rows, an earlier request's message.
--
-- KEYS  1 room  2 members  3 messages  4 receipts  5, 6 idempotency keys of even and odd days
-- ARGV  1 the idempotency key asked for, '' for none  2... user ids
-- Returns {'ok', room, {message, fingerprint} or {}, member, ...} with the members there are, or
--         {'missing'}.

local room = loadRoom(KEYS[1])
if not room then
  return { 'missing' }
end

local earlier = {}
local found = ARGV[1] ~= '' and
  (redis.call('HGET', KEYS[5], ARGV[1]) or redis.call('HGET', KEYS[6], ARGV[1]))
if found then
  local seq, fingerprint = string.match(found, '^(%d+) (.*)$')
  earlier = { redis.call('HGET', KEYS[3], seq), fingerprint }
end

local answer = { 'ok', describe(KEYS[1], room), earlier }
for i = 2, #ARGV do
  local row = redis.call('HGET', KEYS[2], ARGV[i])
  if row then
    answer[#answer + 1] = memberJSON(ARGV[i], row, redis.call('HGET', KEYS[4], ARGV[i]))
  end
end
return answer
