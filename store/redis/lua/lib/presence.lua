-- A user's presence is a hash: name, avatar, status, version (counts changes of the status), seen (unix
-- ms; when the last device went).

-- device is the field of a device in its user's hash.
local function device(instance, id)
  return instance .. '\0' .. id
end

-- setStatus stores a change of status and publishes it.
local function setStatus(presence, to, user, status)
  redis.call('HSET', presence, 'status', status)
  local version = redis.call('HINCRBY', presence, 'version', 1)
  local f = redis.call('HMGET', presence, 'name', 'avatar', 'seen')
  notify(to, 'presence/' .. user, cjson.encode({
    id = user, name = f[1] or '', avatar = f[2] or '', status = status, version = version,
    seen = tonumber(f[3] or 0),
  }))
end
