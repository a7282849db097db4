-- Takes out those of these names, whose rows are gone.
for n = 2, #ARGV do
    redis.call('HDEL', list, ARGV[n])
end
return 1
