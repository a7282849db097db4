-- Ends it: 1. Where there is nothing, nothing can come any more for 30 s; then '', or a mark that is there already; 2 where another session is there.
if is_it() then
    redis.call('DEL', KEYS[1])
    return 1
end
if text == '' then
    redis.call('SET', KEYS[1], 'ended', 'PX', 30000)
end
return #text < 96 and text or 2
