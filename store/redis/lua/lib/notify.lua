-- How many topics `recent` names, and how many changes lie between trims.
local RECENT, TRIM = 10000, 1000

-- notify counts a change of a topic in its bucket, so that tail checks find it, and publishes the
-- hint: "<n>\n<topic>\n<payload>".
--   to.bucket, to.recent   the bucket's keys
--   to.channel             where the hint goes
--   to.publish             PUBLISH, or SPUBLISH in a cluster
--   to.mark                a random number: the mark of a bucket that begins with this change
local function notify(to, topic, payload)
  local n = redis.call('HINCRBY', to.bucket, 'n', 1)
  if n == 1 then
    redis.call('HSET', to.bucket, 'mark', to.mark)
  end
  redis.call('ZADD', to.recent, n, topic)
  if n % TRIM == 0 then
    local over = redis.call('ZCARD', to.recent) - RECENT
    if over > 0 then
      local dropped = redis.call('ZPOPMIN', to.recent, over)
      redis.call('HSET', to.bucket, 'evicted', dropped[#dropped])
    end
  end
  redis.call(to.publish, to.channel, n .. '\n' .. topic .. '\n' .. payload)
end
