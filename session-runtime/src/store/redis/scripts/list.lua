-- The sessions of the owner whose list KEYS[1] is: the server's time, then what each is called and what is kept of it.
local answer, list = { now() }, KEYS[1]
visit_all(list, redis.call('HGETALL', list), function(handle, _, key)
    answer[#answer + 1] = handle
    answer[#answer + 1] = redis.call('GET', key)
end)
return answer
