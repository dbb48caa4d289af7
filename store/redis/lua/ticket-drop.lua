-- Drops a ticket.
--
-- KEYS  1 ticket
-- Returns {'ok'}.

redis.call('DEL', KEYS[1])
return { 'ok' }
