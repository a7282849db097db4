-- ARGV, after the first: the session's version, idle limit, time until the absolute limit or 0, age, data, what stands beside it.
-- Its version, or 'exists' where the key is taken.
if taken(1) then
    return head(1) == ARGV[2] and ARGV[2] or 'exists'
end
local absolute = tonumber(ARGV[4])
if absolute > 0 then
    absolute = now() + absolute
end
put(1, ARGV[2], tonumber(ARGV[3]), absolute, math.max(now() - tonumber(ARGV[5]), 0), ARGV[6], ARGV[7])
return ARGV[2]
