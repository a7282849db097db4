-- What is kept of the session and the milliseconds until it goes.
local text, ttl = stored(1)
if not text then
    return nil
end
return { text, ttl }
