-- Reads a room's typing set.
--
-- KEYS  1 typing
-- Returns {'ok', set}.

return { 'ok', typingJSON(typists(KEYS[1], now()), redis.call('HGET', KEYS[1], '') or 0) }
