-- A row that a list on another node speaks of, KEYS[1]. ARGV[2] is the owner, ARGV[3] what the session is called there.
local text = redis.call('GETRANGE', KEYS[1], 0, 208)

local function is_it()
    return is_session_of(text, ARGV[2], ARGV[3], now())
end
