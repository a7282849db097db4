-- ARGV, after the first: the session's version, idle limit, time until the absolute limit or 0, age, data, what stands beside it. If it has an owner, whose list is on
-- this server: how many sessions the owner may have, or 0; 1 if one more is refused, else the one proven first goes.
-- Its version, 'exists' where the key is taken, or 'toomany'.
if taken(1) then
    return head(1) == ARGV[2] and ARGV[2] or 'exists'
end
local going = room_for(1, ARGV[7], ARGV[8], ARGV[9])
if not going then
    return 'toomany'
end
local absolute = tonumber(ARGV[4])
if absolute > 0 then
    absolute = now() + absolute
end
-- The list first: what it refuses is not written.
enlist(1, ARGV[7], going)
put(1, ARGV[2], tonumber(ARGV[3]), absolute, math.max(now() - tonumber(ARGV[5]), 0), ARGV[6], ARGV[7])
return ARGV[2]
