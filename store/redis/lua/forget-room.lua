-- Takes a room out of a user's index after they left it, unless they have joined again since: a joining
-- is announced, with the version of the row it makes, before it happens.
--
-- KEYS  1 the user's rooms
-- ARGV  1 room id  2 version of the row that the leaving made
-- Returns {'ok'}.

local announced = redis.call('ZSCORE', KEYS[1], ARGV[1])
if announced and tonumber(announced) <= tonumber(ARGV[2]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return { 'ok' }
