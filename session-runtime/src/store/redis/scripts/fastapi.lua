-- The layout that is shared with the FastAPI system. KEYS, for each session: its value, which is the data and nothing else, and what
-- stands beside it, of which Python knows nothing: the version, idle and absolute limit, 16 characters each, and a digest of the value
-- that they are of; or the mark of a rotation, which is shorter. ARGV[1] is the idle limit of what Python made.
-- A value of another digest is a change that Python made: it gets the next version when it is first seen.
local HEADER = 48

local function value_key(n) return KEYS[2 * n - 1] end
local function side_key(n) return KEYS[2 * n] end

-- What stands beside the value, and whether it is a mark.
local function side(n)
    local text = redis.call('GET', side_key(n)) or ''
    return text, text ~= '' and #text < HEADER
end

local function taken(n)
    local _, is_mark = side(n)
    return is_mark or redis.call('EXISTS', value_key(n)) == 1
end

local function remove(n)
    redis.call('DEL', value_key(n), side_key(n))
end

-- It outlasts the value, also if Python renews that at its last instant.
local function side_expiry(expires, absolute)
    return string.format('%.0f', math.max(expires, absolute) + tonumber(ARGV[1]))
end

local function put_side(n, version, idle, absolute, data, expires)
    local text = version .. digits(idle) .. digits(absolute) .. redis.sha1hex(data)
    redis.call('SET', side_key(n), text, 'PXAT', side_expiry(expires, absolute))
end

-- The milliseconds until the value goes. What Python keeps for ever has its idle limit from now on.
local function value_ttl(n, idle)
    local ttl = redis.call('PTTL', value_key(n))
    return ttl < 0 and idle or ttl
end

local function head(n)
    local data = redis.call('GET', value_key(n))
    local text, is_mark = side(n)
    if not data or is_mark then
        return nil
    end
    local version, idle, absolute = digits(0), tonumber(ARGV[1]), 0
    if text ~= '' then
        version, idle, absolute = string.sub(text, 1, 16), tonumber(string.sub(text, 17, 32)), tonumber(string.sub(text, 33, 48))
    end
    if absolute > 0 and absolute <= now() then
        -- Python has renewed it beyond its limit.
        remove(n)
        return nil
    end
    local digest = redis.sha1hex(data)
    if string.sub(text, HEADER + 1) ~= digest then
        version = next_version(version, string.sub(digest, 1, 10))
        put_side(n, version, idle, absolute, data, now() + value_ttl(n, idle))
    end
    return version, idle, absolute, data
end

local function stored(n)
    local version, idle, absolute, data = head(n)
    if not version then
        local text, is_mark = side(n)
        return is_mark and text, 0
    end
    local ttl, time = value_ttl(n, idle), now()
    if redis.call('PTTL', side_key(n)) < ttl then
        redis.call('PEXPIREAT', side_key(n), side_expiry(time + ttl, absolute))
    end
    return version .. digits(idle) .. digits(absolute) .. digits(time + ttl + 1) .. data, ttl
end

local function put(n, version, idle, absolute, data)
    local expires = expiry(idle, absolute)
    redis.call('SET', value_key(n), data, 'PXAT', last_instant(expires))
    put_side(n, version, idle, absolute, data, expires)
end

local function renew(n, idle, absolute)
    local expires = expiry(idle, absolute)
    redis.call('PEXPIREAT', value_key(n), last_instant(expires))
    redis.call('PEXPIREAT', side_key(n), side_expiry(expires, absolute))
end

local function leave(n, tag)
    redis.call('DEL', value_key(n))
    redis.call('SET', side_key(n), MARK .. tag, 'PX', MARK_MS)
end

local function left(n, tag)
    return redis.call('GET', side_key(n)) == MARK .. tag
end
