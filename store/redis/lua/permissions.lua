-- Asks which commands the user may not run, changing nothing.
--
-- ARGV  1 the commands with example arguments, as a JSON list of lists
-- Returns {'ok', command, ...} with those refused.

local refused = { 'ok' }
for _, command in ipairs(cjson.decode(ARGV[1])) do
  if not redis.acl_check_cmd(unpack(command)) then
    refused[#refused + 1] = table.concat(command, ' ')
  end
end
return refused
