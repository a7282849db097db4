-- A session has a version, an idle limit, the time of its absolute limit (0: none) and of its creation, and data. Limits and times are milliseconds, times
-- by this server's clock. How it is kept, a layout says, which follows: for the n-th session that a script is about, it has
--   taken(n): whether its key is taken, by a session or by the mark of a rotation
--   head(n): its version, idle and absolute limit and time of creation, and what stands beside its data, or nothing where there is none
--   stored(n): what a load answers, as own.lua has it; or the mark of a rotation, which is shorter; or nothing. And the milliseconds until it goes.
--   put(n, version, idle, absolute, created, data, beside): keeps it, used just now
--   renew(n, idle, absolute, beside): keeps it from now on as used just now
--   remove(n)
--   leave(n, tag), left(n, tag): puts the mark of a rotation in its place; whether that mark is there
--   unlist(n, beside): takes it out of the list of its owner's, if it has one
-- What stands beside the data is a text of 97 characters, or none: its age when its user last proved who they are, of 16; what it is called in the list of its
-- owner's, of 16; its owner, of 64; whether its cookie outlives the browser, `t` or `f`. Each may be dashes instead.
-- A version is a count of 6 hex digits and a tag of 10 that the writer drew at random: a command that is sent again because its
-- answer was lost finds its own tag and changes nothing.
local MARK, MARK_MS = 'rotated ', 30000

local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function digits(number)
    return string.format('%016.0f', number)
end

-- Redis drops a key when its time has passed, not when it has come: one millisecond less makes it the instant itself.
local function last_instant(expires)
    return string.format('%.0f', expires - 1)
end

local function next_version(version, tag)
    local count = (tonumber(string.sub(version, 1, 6), 16) + 1) % 0x1000000
    return string.format('%06x', count) .. tag
end

local function expiry(idle, absolute)
    if not (idle and absolute) then
        error({ err = 'FOREIGN another program has stored a value under this key' })
    end
    local expires = now() + idle
    if absolute > 0 and absolute < expires then
        return absolute
    end
    return expires
end
