-- Ends sessions of the owner whose list KEYS[1] is, and says how many. ARGV, after the first: 'all', or 'one' or 'others' and what that one is called.
local ended, list, which, one = 0, KEYS[1], ARGV[2], ARGV[3]
local entries
if which == 'one' then
    local name = redis.call('HGET', list, one)
    entries = name and { one, name } or {}
else
    entries = redis.call('HGETALL', list)
end
visit_all(list, entries, function(handle, _, key)
    if which ~= 'others' or handle ~= one then
        redis.call('DEL', key)
        redis.call('HDEL', list, handle)
        ended = ended + 1
    end
end)
return ended
