-- Reads a room.
--
-- KEYS  1 room
-- Returns {'ok', room} or {'missing'}.

local room = loadRoom(KEYS[1])
return room and { 'ok', describe(KEYS[1], room) } or { 'missing' }
