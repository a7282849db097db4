-- The layout of this crate: a string of five fields of 16 characters, the version, idle limit, absolute limit and the times at which
-- the session was created and expires, then its data. The mark of a rotation is a shorter string.
local HEADER = 80

local function taken(n)
    return redis.call('EXISTS', KEYS[n]) == 1
end

local function head(n)
    local text = redis.call('GETRANGE', KEYS[n], 0, HEADER - 1)
    if #text < HEADER then
        return nil
    end
    return string.sub(text, 1, 16), tonumber(string.sub(text, 17, 32)), tonumber(string.sub(text, 33, 48)),
        tonumber(string.sub(text, 49, 64))
end

local function stored(n)
    local text = redis.call('GET', KEYS[n])
    return text, text and redis.call('PTTL', KEYS[n])
end

local function put(n, version, idle, absolute, created, data)
    local expires = expiry(idle, absolute)
    local text = version .. digits(idle) .. digits(absolute) .. digits(created) .. digits(expires) .. data
    redis.call('SET', KEYS[n], text, 'PXAT', last_instant(expires))
end

local function renew(n, idle, absolute)
    local expires = expiry(idle, absolute)
    -- In this order: a server whose memory is full refuses SETRANGE, but not to a script that has written already.
    redis.call('PEXPIREAT', KEYS[n], last_instant(expires))
    redis.call('SETRANGE', KEYS[n], HEADER - 16, digits(expires))
end

local function remove(n)
    redis.call('DEL', KEYS[n])
end

local function leave(n, tag)
    redis.call('SET', KEYS[n], MARK .. tag, 'PX', MARK_MS)
end

local function left(n, tag)
    return redis.call('GET', KEYS[n]) == MARK .. tag
end
