-- The layout that is shared with the FastAPI system. KEYS, for each session: its value, which is the data and nothing else, and what
-- stands beside it, of which Python knows nothing: the version, idle and absolute limit and time of creation, 16 characters each, a
-- digest of the value that they are of, of 40, and what this crate keeps beside data, if anything; or the mark of a rotation, which is shorter. No session has an owner. ARGV[1] is the idle limit of what Python made.
-- A value of another digest is a change that Python made: it gets the next version when it is first seen. What Python made counts as
-- created then.
local HEADER, DIGEST, ZERO = 64, 104, '0000000000000000'

local function value_key(n) return KEYS[2 * n - 1] end
local function side_key(n) return KEYS[2 * n] end

local function is_mark(text)
    return text and #text < HEADER
end

local function taken(n)
    return redis.call('EXISTS', value_key(n)) == 1 or is_mark(redis.call('GET', side_key(n)))
end

local function remove(n)
    redis.call('DEL', value_key(n), side_key(n))
end

-- It outlasts the value, also if Python renews that at its last instant.
local function side_expiry(expires, absolute)
    return string.format('%.0f', math.max(expires, absolute) + tonumber(ARGV[1]))
end

-- Keeps what stands beside the value, and gives the fields of it.
local function put_side(n, version, idle, absolute, created, digest, beside, expires)
    local fields = version .. digits(idle) .. digits(absolute) .. digits(created)
    redis.call('SET', side_key(n), fields .. digest .. beside, 'PXAT', side_expiry(expires, absolute))
    return fields
end

-- The milliseconds until the value goes. What Python keeps for ever has its idle limit from now on.
local function value_ttl(n, idle)
    local ttl = redis.call('PTTL', value_key(n))
    return ttl < 0 and idle or ttl
end

-- As the layouts' head, then the fields as they are kept, and the data. Where there is only a mark, nothing and that.
local function head(n)
    local kept = redis.call('MGET', value_key(n), side_key(n))
    local data, text = kept[1], kept[2]
    if is_mark(text) then
        return nil, text
    end
    if not data then
        return nil
    end
    local version, idle, absolute, created, beside = ZERO, tonumber(ARGV[1]), 0, now(), ''
    if text then
        version, idle, absolute = string.sub(text, 1, 16), tonumber(string.sub(text, 17, 32)), tonumber(string.sub(text, 33, 48))
        created, beside = tonumber(string.sub(text, 49, 64)), string.sub(text, DIGEST + 1)
    end
    if absolute > 0 and absolute <= now() then
        -- Python has renewed it beyond its limit.
        remove(n)
        return nil
    end
    local digest = redis.sha1hex(data)
    if text and string.sub(text, HEADER + 1, DIGEST) == digest then
        return version, idle, absolute, created, beside, string.sub(text, 1, HEADER), data
    end
    version = next_version(version, string.sub(digest, 1, 10))
    -- It changes nothing: a server whose memory is full refuses SET, but not to a script that has written already.
    redis.call('PERSIST', side_key(n))
    local fields = put_side(n, version, idle, absolute, created, digest, beside, now() + value_ttl(n, idle))
    return version, idle, absolute, created, beside, fields, data
end

local function stored(n)
    local version, idle, absolute, _, beside, fields, data = head(n)
    if not version then
        -- In place of the idle limit, the mark.
        return idle, 0
    end
    local ttl = value_ttl(n, idle)
    if redis.call('PTTL', side_key(n)) < ttl then
        redis.call('PEXPIREAT', side_key(n), side_expiry(now() + ttl, absolute))
    end
    -- The time of the expiry serves to tell those of the absolute limit and of the creation.
    local after = beside == '' and ZERO or '0000000000000113' .. digits(now()) .. beside
    return fields .. digits(now() + ttl + 1) .. after .. data, ttl
end

local function put(n, version, idle, absolute, created, data, beside)
    local expires = expiry(idle, absolute)
    redis.call('SET', value_key(n), data, 'PXAT', last_instant(expires))
    put_side(n, version, idle, absolute, created, redis.sha1hex(data), beside, expires)
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

local function unlist() end

local function is_listed_elsewhere() return false end
