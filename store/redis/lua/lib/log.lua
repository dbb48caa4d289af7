-- The kinds of entries, as in eventlog and chat.
local RESET, SENT, EDITED, DELETED = 1, 2, 3, 4
local JOINED, LEFT, REMOVED, ROLE_CHANGED, UPDATED = 5, 6, 7, 8, 9

-- The version of the entries' format, stored with each.
local FORMAT = 1

-- nextEntry begins the entry after the room's tail: nothing is written yet.
local function nextEntry(room, kind, check, at)
  local entry = {
    epoch = room.epoch, offset = room.offset + 1, check = check, prev = room.check,
    at = at, kind = kind, seq = room.seq, target = '', actor = '',
  }
  room.offset, room.check = entry.offset, check
  return entry
end

-- store adds an entry to the stream. The caller saves the room.
local function store(keys, room, entry)
  local e = table.concat({
    FORMAT, entry.epoch, entry.check, entry.prev, entry.kind, entry.seq, entry.target,
  }, ' ')
  redis.call('XADD', keys.log, entry.offset .. '-' .. entry.at, 'e', e, 'actor', entry.actor)
  if redis.call('XLEN', keys.log) == 1 then
    room.oldest, room.bytes, room.expires = entry.at, 0, 0
  end
  room.bytes = room.bytes + 24 + #e + #entry.actor -- about what the stream needs for it
end

-- parse makes an entry of what XRANGE answers.
local function parse(raw)
  local entry = { actor = raw[2][4] }
  entry.offset, entry.at = string.match(raw[1], '^(%d+)-(%d+)$')
  entry.epoch, entry.check, entry.prev, entry.kind, entry.seq, entry.target =
    string.match(raw[2][2], '^%d+ (%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
  entry.offset, entry.kind = tonumber(entry.offset), tonumber(entry.kind)
  return entry
end

-- hydrate is the entry's event as JSON, with the message or member concerned as it stands now.
local function hydrate(keys, entry)
  local json = {
    '{"epoch":', entry.epoch, ',"offset":', entry.offset, ',"check":', entry.check, ',"prev":', entry.prev,
    ',"at":', entry.at, ',"kind":', entry.kind, ',"seq":', entry.seq,
  }
  if entry.actor ~= '' then
    json[#json + 1] = ',"actor":' .. entry.actor
  end
  if entry.kind >= SENT and entry.kind <= DELETED then
    local message = entry.message or redis.call('HGET', keys.messages, entry.target)
    if message then
      json[#json + 1] = ',"message":' .. message
    end
  elseif entry.kind >= JOINED and entry.kind <= ROLE_CHANGED then
    local row = redis.call('HGET', keys.members, entry.target)
    if row then
      local receipts = redis.call('HGET', keys.receipts, entry.target)
      json[#json + 1] = ',"member":' .. memberJSON(entry.target, row, receipts)
    end
  end
  json[#json + 1] = '}'
  return table.concat(json)
end
