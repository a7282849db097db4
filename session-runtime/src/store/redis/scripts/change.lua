-- What prelude.lua, own.lua and replace.lua say together, of any number of sessions. It is written out since no script runs as often,
-- and each run would make all their functions, which is a quarter of its time. One session's error is its answer alone.
-- ARGV, for each of KEYS: the version that the session must have and the next one; data.
local time = redis.call('TIME')
local now, answers = time[1] * 1000 + math.floor(time[2] / 1000), {}

local function change(key, expected, next, data)
    local head = redis.pcall('GETRANGE', key, 0, 79)
    if head.err then
        return head
    end
    if #head < 80 then
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
    local text = next .. string.sub(head, 17, 64) .. string.format('%016.0f', expires) .. data
    local done = redis.pcall('SET', key, text, 'PXAT', expires - 1)
    return done.err and done or next
end

for n = 1, #KEYS do
    answers[n] = change(KEYS[n], ARGV[3 * n - 2], ARGV[3 * n - 1], ARGV[3 * n])
end
return answers
