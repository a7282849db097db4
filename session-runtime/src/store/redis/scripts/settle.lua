-- A rotation is done. ARGV, after the first: the name, or '' where it has gone to another list; and that from where it came; 1 where it certainly has left that.
local text = redis.call('HGET', list, ARGV[2])
if text then
    redis.call('HSET', list, ARGV[2], string.sub(text, 1, 59))
end
redis.call('HDEL', list, ARGV[3])
-- Only one can leave a key: whatever else was to come from there was given up, and is ended.
local all = ARGV[4] == '1' and entries({}) or {}
for n = 1, #all, 2 do
    if string.sub(all[n + 1], 60) == ARGV[3] then
        mark(all[n], all[n + 1])
    end
end
return 1
