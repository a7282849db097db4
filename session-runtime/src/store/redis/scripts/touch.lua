-- KEYS: the session. 1: renewed. 0: there is none.
local version, idle, absolute = head(KEYS[1])
if not version then
    return 0
end
local expires = expiry(idle, absolute)
redis.call('SETRANGE', KEYS[1], HEADER - 16, digits(expires))
redis.call('PEXPIREAT', KEYS[1], last_instant(expires))
return 1
