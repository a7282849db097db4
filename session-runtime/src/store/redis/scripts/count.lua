-- How many sessions the owner has whose list KEYS[1] is.
local count, list = 0, KEYS[1]
visit_all(list, redis.call('HGETALL', list), function()
    count = count + 1
end)
return count
