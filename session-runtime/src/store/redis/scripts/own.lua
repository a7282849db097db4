-- The layout of this crate: a string of six fields of 16 characters, the version, idle limit, absolute limit, the times at which
-- the session was created and expires, and the length of what stands beside the data; then that, if it is there: the time at which the session was last used,
-- of 16 characters, and the text `beside`; then its data. The mark of a rotation is a shorter string.
-- ARGV[1] is 1 where the lists of owners are on this server, 0 where they are on other nodes of a cluster: `<prefix>owner:<owner>`, a hash of what a session is called to the last 64 characters of its key.
local HEADER, WITH_BESIDE = 96, 209
local NONE, SOME = '0000000000000000', '0000000000000113'

local function taken(n)
    return redis.call('EXISTS', KEYS[n]) == 1
end

local function head(n)
    local text = redis.call('GETRANGE', KEYS[n], 0, WITH_BESIDE - 1)
    if #text < HEADER then
        return nil
    end
    return string.sub(text, 1, 16), tonumber(string.sub(text, 17, 32)), tonumber(string.sub(text, 33, 48)),
        tonumber(string.sub(text, 49, 64)), string.sub(text, 81, 96) == SOME and string.sub(text, 113, 209) or ''
end

local function stored(n)
    local text = redis.call('GET', KEYS[n])
    return text, text and redis.call('PTTL', KEYS[n])
end

local function list_of(n, beside)
    if ARGV[1] == '1' and beside ~= '' and string.sub(beside, 33, 33) ~= '-' then
        return string.sub(KEYS[n], 1, -65) .. 'owner:' .. string.sub(beside, 33, 96)
    end
end

local function is_listed_elsewhere(beside)
    return ARGV[1] == '0' and beside ~= '' and string.sub(beside, 33, 33) ~= '-'
end

-- The list lives longer than what is in it, and by so much that it need not be told each time. What it refuses is no error of the change, which is made.
local function keep_list(n, beside, idle, expires)
    local list = list_of(n, beside)
    local left = list and redis.pcall('PTTL', list)
    if left == -2 then
        -- A server whose memory was full has evicted it. What is used is in it again.
        redis.pcall('HSET', list, string.sub(beside, 17, 32), string.sub(KEYS[n], -64))
    end
    if type(left) == 'number' and left < expires - now() then
        redis.pcall('PEXPIREAT', list, string.format('%.0f', expires + idle))
    end
end

local function put(n, version, idle, absolute, created, data, beside)
    local expires = expiry(idle, absolute)
    local fields = version .. digits(idle) .. digits(absolute) .. digits(created) .. digits(expires)
    if beside == '' then
        fields = fields .. NONE
    else
        fields = fields .. SOME .. digits(now()) .. beside
    end
    redis.call('SET', KEYS[n], fields .. data, 'PXAT', last_instant(expires))
    keep_list(n, beside, idle, expires)
end

local function renew(n, idle, absolute, beside)
    local expires = expiry(idle, absolute)
    local before = is_listed_elsewhere(beside) and tonumber(redis.call('GETRANGE', KEYS[n], 64, 79))
    -- In this order: a server whose memory is full refuses SETRANGE, but not to a script that has written already.
    redis.call('PEXPIREAT', KEYS[n], last_instant(expires))
    redis.call('SETRANGE', KEYS[n], 64, digits(expires) .. (beside == '' and '' or SOME .. digits(now())))
    keep_list(n, beside, idle, expires)
    -- Whether its list on another node is to hear of it: each time that it has lived two idle limits longer.
    return before and math.floor(before / (2 * idle)) ~= math.floor(expires / (2 * idle))
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

-- It is not its owner's any more; what came in its place stays. What the list refuses does not show there: its session is gone.
local function unlist(n, beside)
    local list, handle = list_of(n, beside), string.sub(beside, 17, 32)
    if list and redis.pcall('HGET', list, handle) == string.sub(KEYS[n], -64) then
        redis.pcall('HDEL', list, handle)
    end
end
