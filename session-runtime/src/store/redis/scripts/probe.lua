-- Which of the commands that the other scripts run are refused to this user, or by this server, and how; an empty table where none is.
-- There is nothing under KEYS[1], so none of them changes anything but one.
local refused = {}

local function try(name, ...)
    local answer = redis.pcall(name, ...)
    if type(answer) == 'table' and answer.err then
        refused[#refused + 1] = name .. ' ' .. answer.err
    end
end

try('TIME')
try('GET', KEYS[1])
try('MGET', KEYS[1], KEYS[2])
try('GETRANGE', KEYS[1], 0, 0)
try('EXISTS', KEYS[1])
try('PTTL', KEYS[1])
try('SET', KEYS[1], '', 'PX', 1, 'XX')
try('SETRANGE', KEYS[1], 0, '')
try('PEXPIREAT', KEYS[1], 1)
try('PERSIST', KEYS[1])
-- This does, and the last two take it back.
try('HSET', KEYS[1], '', '')
try('HGET', KEYS[1], '')
try('HGETALL', KEYS[1])
try('HRANDFIELD', KEYS[1], 1, 'WITHVALUES')
try('HDEL', KEYS[1], '')
try('DEL', KEYS[1])
return refused
