-- KEYS: the session. The string that is kept there and the milliseconds until it goes.
local text = redis.call('GET', KEYS[1])
if not text then
    return nil
end
return { text, redis.call('PTTL', KEYS[1]) }
