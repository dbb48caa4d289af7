-- Says how often a ticket has been opened.
--
-- KEYS  1 ticket
-- Returns {'ok', openings}.

return { 'ok', tonumber(redis.call('HGET', KEYS[1], 'openings') or 0) }
