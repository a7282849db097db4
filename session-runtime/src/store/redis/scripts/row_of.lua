-- A row that a list on another node speaks of, KEYS[1]. ARGV[2] is the owner, ARGV[3] what the session is called there.
local text = redis.call('GETRANGE', KEYS[1], 0, 208)

local function is_it()
    return #text == 209 and string.sub(text, 81, 96) == '0000000000000113' and string.sub(text, 129, 144) == ARGV[3]
        and string.sub(text, 145, 208) == ARGV[2] and (tonumber(string.sub(text, 65, 80)) or 0) > now()
end
