-- A rotation is done. ARGV, after the first: the name, and that from where it came.
local text = redis.call('HGET', list, ARGV[2])
if text then
    redis.call('HSET', list, ARGV[2], string.sub(text, 1, 59))
end
redis.call('HDEL', list, ARGV[3])
return 1
