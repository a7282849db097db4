-- A session lives on. ARGV, after the first: its name, what it is called, when its user proved who they are, how long the list is to be kept.
if redis.call('HGET', list, ARGV[2]) == false then
    redis.call('HSET', list, ARGV[2], ARGV[3] .. digits(tonumber(ARGV[4])) .. digits(now()) .. '----------l')
end
keep_for(tonumber(ARGV[5]))
return 1
