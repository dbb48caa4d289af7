-- A user's presence is a hash: name, avatar, status, version, seen (unix ms; when the last device
-- went). Versions are times made to grow, so that a store which lost its data never counts again.

-- device is the field of a device in its user's hash.
local function device(instance, id)
  return instance .. '\0' .. id
end

-- setStatus stores a change of status and publishes it.
local function setStatus(presence, to, user, status, at)
  local version = math.max(tonumber(redis.call('HGET', presence, 'version') or 0) + 1, at)
  redis.call('HSET', presence, 'status', status, 'version', version)
  local f = redis.call('HMGET', presence, 'name', 'avatar', 'seen')
  notify(to, 'presence/' .. user, cjson.encode({
    id = user, name = f[1] or '', avatar = f[2] or '', status = status, version = version,
    seen = tonumber(f[3] or 0),
  }))
end
