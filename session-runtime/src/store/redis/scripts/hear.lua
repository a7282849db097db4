-- A session lives on. ARGV, after the first: its name, what it is called, when its user proved who they are, how long the list is to be kept.
-- It may come late, when the session is gone and has left the list. So it enters as of long ago: whoever looks next takes it out, unless its row is there.
if redis.call('HGET', list, ARGV[2]) == false then
    redis.call('HSET', list, ARGV[2], ARGV[3] .. digits(tonumber(ARGV[4])) .. digits(0) .. '----------l')
end
keep_for(tonumber(ARGV[5]))
return 1
