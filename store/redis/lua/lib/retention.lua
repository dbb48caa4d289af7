-- atOf is when the entry at an offset was written.
local function atOf(log, offset)
  local found = redis.call('XRANGE', log, offset, offset)
  return found[1] and tonumber(string.match(found[1][1], '-(%d+)$'))
end

-- lastBefore is the last offset within [first, last] written at or before a time, first - 1 for none.
local function lastBefore(log, first, last, time)
  local low, high = first - 1, last
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if atOf(log, middle) <= time then
      low = middle
    else
      high = middle - 1
    end
  end
  return low
end

-- lastToDrop is the offset up to which retention drops entries, first - 1 for none.
local function lastToDrop(log, room, keep, at, first, count)
  if room.bytes > keep.bytes then
    return math.min(room.offset, first - 1 + math.ceil(count * (1 - 0.9 * keep.bytes / room.bytes)))
  end
  local old, chunk = at - keep.minAge, math.ceil(keep.entries / 10)
  local drop = first - 1
  if count > keep.entries + chunk and atOf(log, drop + chunk) <= old then
    drop = lastBefore(log, drop + chunk, room.offset - keep.entries, old)
  end
  if room.oldest < at - keep.maxAge then
    drop = math.max(drop, lastBefore(log, first, room.offset, at - math.max(keep.maxAge, keep.minAge)))
  end
  return drop
end

-- trim drops what retention doesn't keep (keep: entries, bytes, maxAge and minAge in ms), and lets a
-- log that nobody writes to any more expire: its tail is in the room's hash. The caller saves the
-- room.
local function trim(keys, room, keep, at)
  local age = math.max(keep.maxAge, keep.minAge)
  if room.expires < at + age then
    room.expires = at + math.ceil(age * 1.1) -- so that most appends needn't move it
    redis.call('PEXPIREAT', keys.log, room.expires)
  end
  local count = redis.call('XLEN', keys.log)
  local first = room.offset - count + 1
  local drop = lastToDrop(keys.log, room, keep, at, first, count)
  if drop < first then
    return
  end
  redis.call('XTRIM', keys.log, 'MINID', '=', drop + 1)
  local left = room.offset - drop
  room.bytes = math.floor(room.bytes * left / count)
  room.oldest = atOf(keys.log, drop + 1) or at
end
