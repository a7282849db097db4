-- Whether this is the beginning of the row of a session that this owner has under this name, and that lives yet.
local function is_session_of(text, owner, handle, at)
    return type(text) == 'string' and #text == 209 and string.sub(text, 81, 96) == '0000000000000113'
        and string.sub(text, 129, 144) == handle and string.sub(text, 145, 208) == owner
        and (tonumber(string.sub(text, 65, 80)) or 0) > at
end

-- In the order in which they go for new ones.
local function goes_before(one, other)
    if one.proven == other.proven then
        return one.handle < other.handle
    end
    return one.proven < other.proven
end
