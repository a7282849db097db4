-- As create.lua, of a session with an owner. ARGV, after its: how many sessions the owner may have, or 0; 1 if one more is refused, else the one proven first goes.
-- Its version, 'exists' where the key is taken, or 'toomany'.
if taken(1) then
    return head(1) == ARGV[2] and ARGV[2] or 'exists'
end
local going = room_for(list_of(1, ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1')
if not going then
    return 'toomany'
end
local idle, absolute = tonumber(ARGV[3]), tonumber(ARGV[4])
if absolute > 0 then
    absolute = now() + absolute
end
put(1, ARGV[2], idle, absolute, math.max(now() - tonumber(ARGV[5]), 0), ARGV[6], ARGV[7])
enlist(1, ARGV[7], going)
keep_list(1, ARGV[7], idle, expiry(idle, absolute))
return ARGV[2]
