-- What is kept, and the server's time; 2 where another session is there; a mark, or '' where there is nothing.
if is_it() then
    return { redis.call('GET', KEYS[1]), now() }
end
return #text < 96 and text or 2
