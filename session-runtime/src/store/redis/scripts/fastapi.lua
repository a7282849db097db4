-- The layout that is shared with the FastAPI system. KEYS, for each session: its value, which is the data and nothing else, and what
-- stands beside it, of which Python knows nothing: the stamp, idle and absolute limit, 16 characters each, or the mark of a
-- rotation, which is shorter. Nothing stands there until a session that Python made is changed here.
-- The version is a digest of both: whoever writes either, it is another one.
-- ARGV[1] is the idle limit of what Python made.
local SIDE = 48

local function value_key(n) return KEYS[2 * n - 1] end
local function side_key(n) return KEYS[2 * n] end

local function version_of(side, data)
    return string.sub(redis.sha1hex(side .. data), 1, 16)
end

local function taken(n)
    local side = redis.call('GET', side_key(n))
    return (side and #side < SIDE) or redis.call('EXISTS', value_key(n)) == 1
end

local function remove(n)
    redis.call('DEL', value_key(n), side_key(n))
end

local function head(n)
    local data, side = redis.call('GET', value_key(n)), redis.call('GET', side_key(n)) or ''
    if not data or (side ~= '' and #side < SIDE) then
        return nil
    end
    if side == '' then
        return version_of(side, data), digits(0), tonumber(ARGV[1]), 0, data
    end
    local absolute = tonumber(string.sub(side, 33, 48))
    if absolute > 0 and absolute <= now() then
        -- Python has renewed it beyond its limit.
        remove(n)
        return nil
    end
    return version_of(side, data), string.sub(side, 1, 16), tonumber(string.sub(side, 17, 32)), absolute, data
end

-- What stands beside a session outlasts it, also when Python renews it at its last instant.
local function keep_side(n, expires, absolute)
    redis.call('PEXPIREAT', side_key(n), string.format('%.0f', math.max(expires, absolute) + tonumber(ARGV[1])))
end

local function stored(n)
    local version, _, idle, absolute, data = head(n)
    if not version then
        local side = redis.call('GET', side_key(n))
        return side and #side < SIDE and side, 0
    end
    local ttl, time = redis.call('PTTL', value_key(n)), now()
    if ttl < 0 then
        -- Python keeps it for ever.
        ttl = idle
    end
    if redis.call('PTTL', side_key(n)) < ttl then
        keep_side(n, time + ttl, absolute)
    end
    return version .. digits(idle) .. digits(absolute) .. digits(time + ttl + 1) .. data, ttl
end

local function put(n, stamp, idle, absolute, data)
    local expires, side = expiry(idle, absolute), stamp .. digits(idle) .. digits(absolute)
    redis.call('SET', value_key(n), data, 'PXAT', last_instant(expires))
    redis.call('SET', side_key(n), side)
    keep_side(n, expires, absolute)
    return version_of(side, data)
end

local function renew(n, idle, absolute)
    local expires = expiry(idle, absolute)
    redis.call('PEXPIREAT', value_key(n), last_instant(expires))
    keep_side(n, expires, absolute)
end

local function leave(n, tag)
    redis.call('DEL', value_key(n))
    redis.call('SET', side_key(n), MARK .. tag, 'PX', MARK_MS)
end

local function left(n, tag)
    return redis.call('GET', side_key(n)) == MARK .. tag
end
