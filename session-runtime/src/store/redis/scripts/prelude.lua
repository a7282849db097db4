-- A session is a string: four fields of 16 characters, then its data. The fields are its version, its idle limit, the time of its
-- absolute limit (0: none) and the time at which it expires. Limits and times are milliseconds, times by this server's clock.
-- A version is a count of 6 hex digits and a tag of 10 that the writer drew at random: a command that is sent again because its
-- answer was lost finds its own tag and changes nothing.
-- The mark of a rotation is a shorter string.
local MARK, MARK_MS, HEADER = 'rotated ', 30000, 64

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

-- The version, idle and absolute limit of a session, or nothing where there is none.
local function head(key)
    local text = redis.call('GETRANGE', key, 0, HEADER - 1)
    if #text < HEADER then
        return nil
    end
    return string.sub(text, 1, 16), tonumber(string.sub(text, 17, 32)), tonumber(string.sub(text, 33, 48))
end

local function next_version(version, tag)
    local count = (tonumber(string.sub(version, 1, 6), 16) + 1) % 0x1000000
    return string.format('%06x', count) .. tag
end

local function expiry(idle, absolute)
    local expires = now() + idle
    if absolute > 0 and absolute < expires then
        return absolute
    end
    return expires
end

local function put(key, version, idle, absolute, data)
    local expires = expiry(idle, absolute)
    local text = version .. digits(idle) .. digits(absolute) .. digits(expires) .. data
    redis.call('SET', key, text, 'PXAT', last_instant(expires))
end
