-- As rotate.lua, to an owner. ARGV, after its: how many sessions the owner may have, or 0; 1 if one more is refused, else the one proven first goes.
-- Its new version, 'missing', 'conflict', 'exists', or 'toomany'.
local version, idle, absolute, created, before = head(1)
if not version then
    return 'missing'
end
if ARGV[2] ~= version then
    return 'conflict'
end
if taken(2) then
    return 'exists'
end
local beside, going = ARGV[5], {}
local list = list_of(2, beside)
if list_of(1, before) ~= list then
    going = room_for(list, tonumber(ARGV[6]), ARGV[7] == '1')
end
if not going then
    return 'toomany'
end
local next = next_version(version, ARGV[3])
put(2, next, idle, absolute, created, ARGV[4], beside)
unlist(1, before)
enlist(2, beside, going)
keep_list(2, beside, idle, expiry(idle, absolute))
leave(1, ARGV[3])
return next
