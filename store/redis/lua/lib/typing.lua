-- A room's typing set is a hash: user id -> JSON {name, avatar, ends (unix ms)}, and '' -> the version
-- of the set, which counts its changes.

-- typists reads the set: who types at a time, how many, and whose time is over.
local function typists(key, at)
  local set, count, over = {}, 0, {}
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local user = fields[i]
    if user ~= '' then
      local typist = cjson.decode(fields[i + 1])
      if typist.ends > at then
        set[user], count = typist, count + 1
      else
        over[#over + 1] = user
      end
    end
  end
  return set, count, over
end

-- typingJSON is the set as Go reads it, in no particular order.
local function typingJSON(set, version)
  local users = {}
  for user, typist in pairs(set) do
    users[#users + 1] = cjson.encode({ id = user, name = typist.name, avatar = typist.avatar })
  end
  return '{"version":' .. version .. ',"users":[' .. table.concat(users, ',') .. ']}'
end
