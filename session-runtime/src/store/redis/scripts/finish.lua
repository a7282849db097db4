-- Ends it: 1. For 30 s a mark says so: a rotation of it that was under way was refused, and did not leave it. Where there is nothing, nothing can come any more for 30 s; then '', or a mark that is there already; 2 where another session is there.
if is_it() then
    -- In this order: a server whose memory is full refuses SET, but not to a script that has written already.
    redis.call('DEL', KEYS[1])
    redis.pcall('SET', KEYS[1], 'gone', 'PX', 30000)
    return 1
end
if text == '' then
    redis.call('SET', KEYS[1], 'ended', 'PX', 30000)
end
return #text < 96 and text or 2
