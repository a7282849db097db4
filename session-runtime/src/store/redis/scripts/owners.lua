-- The lists of owners. Who looks at an entry looks at its session as well, and takes out what is gone: so what has expired neither shows nor counts.

-- What stands before the data of the session that this owner has under this name, and the session's key; or nothing.
local function visit(list, handle, name, at)
    local key = string.sub(list, 1, -71) .. name
    local text = redis.pcall('GETRANGE', key, 0, 208)
    if is_session_of(text, string.sub(list, -64), handle, at) then
        return text, key
    end
end

-- Calls `look` with the name, the text and the key of each of these sessions that is there, and takes the others out.
local function visit_all(list, entries, look)
    local at = now()
    for n = 1, #entries, 2 do
        local text, key = visit(list, entries[n], entries[n + 1], at)
        if text then
            look(entries[n], text, key)
        else
            redis.call('HDEL', list, entries[n])
        end
    end
end

-- Which sessions make room for the n-th in the list of its owner's, if it comes from elsewhere than that; or nothing where it is refused.
local function room_for(n, beside, most, refuse, before)
    local list, limit = list_of(n, beside), tonumber(most)
    if before and list_of(1, before) == list then
        return {}
    end
    if limit == 0 then
        -- Nobody may ever look at this list: by a few of them each time, what is gone never becomes more than what is there.
        visit_all(list, redis.call('HRANDFIELD', list, 3, 'WITHVALUES'), function() end)
        return {}
    end
    local live, going = {}, {}
    visit_all(list, redis.call('HGETALL', list), function(handle, text, key)
        local proven = tonumber(string.sub(text, 49, 64)) + (tonumber(string.sub(text, 113, 128)) or 0)
        live[#live + 1] = { proven = proven, handle = handle, key = key }
    end)
    local surplus = #live + 1 - limit
    if surplus > 0 and refuse == '1' then
        return nil
    end
    table.sort(live, goes_before)
    for n = 1, surplus do
        going[n] = live[n]
    end
    return going
end

-- The n-th session is its owner's, and these go.
local function enlist(n, beside, going)
    local list = list_of(n, beside)
    redis.call('HSET', list, string.sub(beside, 17, 32), string.sub(KEYS[n], -64))
    for _, session in ipairs(going) do
        redis.call('DEL', session.key)
        redis.call('HDEL', list, session.handle)
    end
end
