-- What prelude.lua, own.lua and replace.lua say together, of any number of sessions. It is written out since no script runs as often,
-- and each run would make all their functions, which is a quarter of its time. One session's error is its answer alone.
-- ARGV, for each of KEYS: the version that the session must have and the next one; data. Then 1 where the lists of owners are on this server, or 0 where they are on
-- other nodes of a cluster: with the version comes then what such a list is to hear.
local time = redis.call('TIME')
local now, answers = time[1] * 1000 + math.floor(time[2] / 1000), {}
local is_here = ARGV[#ARGV] == '1' and #ARGV % 3 == 1

local function change(key, expected, next, data)
    local head = redis.pcall('GETRANGE', key, 0, 208)
    if head.err then
        return head
    end
    if #head < 96 then
        return 'missing'
    end
    local version = string.sub(head, 1, 16)
    local idle, absolute = tonumber(string.sub(head, 17, 32)), tonumber(string.sub(head, 33, 48))
    if not (idle and absolute and tonumber(string.sub(version, 1, 6), 16)) then
        return { err = 'FOREIGN another program has stored a value under this key' }
    end
    if expected ~= version then
        return version == next and next or 'conflict'
    end
    local expires = now + idle
    if absolute > 0 and absolute < expires then
        expires = absolute
    end
    local text = next .. string.sub(head, 17, 64) .. string.format('%016.0f', expires)
    if string.sub(head, 81, 96) ~= '0000000000000113' then
        local done = redis.pcall('SET', key, text .. '0000000000000000' .. data, 'PXAT', expires - 1)
        return done.err and done or next
    end
    text = text .. '0000000000000113' .. string.format('%016.0f', now) .. string.sub(head, 113)
    local done = redis.pcall('SET', key, text .. data, 'PXAT', expires - 1)
    if not done.err and is_here and string.sub(head, 145, 145) ~= '-' then
        local list = string.sub(key, 1, -65) .. 'owner:' .. string.sub(head, 145, 208)
        -- What the list refuses is no error of the change, which is made, nor of the others.
        local left = redis.pcall('PTTL', list)
        if left == -2 then
            redis.pcall('HSET', list, string.sub(head, 129, 144), string.sub(key, -64))
        end
        if type(left) == 'number' and left < expires - now then
            redis.pcall('PEXPIREAT', list, string.format('%.0f', expires + idle))
        end
    end
    if not done.err and not is_here and string.sub(head, 145, 145) ~= '-' then
        local before = tonumber(string.sub(head, 65, 80)) or 0
        if math.floor(before / (2 * idle)) ~= math.floor(expires / (2 * idle)) then
            return next .. string.sub(head, 113, 209) .. string.sub(head, 49, 64) .. string.sub(head, 17, 32)
        end
    end
    return done.err and done or next
end

for n = 1, #KEYS do
    answers[n] = change(KEYS[n], ARGV[3 * n - 2], ARGV[3 * n - 1], ARGV[3 * n])
end
return answers
