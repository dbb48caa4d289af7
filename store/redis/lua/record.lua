-- Records how this store is laid out, unless it is recorded already.
--
-- KEYS  1 record
-- ARGV  1 the layout's version  2 the number of buckets
-- Returns {'ok', the version recorded, the buckets recorded, 1 if it was written just now}.

local written = 0
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'version', ARGV[1], 'buckets', ARGV[2])
  written = 1
end
local record = redis.call('HMGET', KEYS[1], 'version', 'buckets')
return { 'ok', record[1] or '', record[2] or '', written }
