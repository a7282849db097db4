-- From the first key to the second. ARGV, after the first: the version that the session must have, a tag, data, what stands beside it. If it has an owner afterwards: how many
-- sessions the owner may have, or 0; 1 if one more is refused, else the one proven first goes.
-- Its new version, 'missing' where there is none, 'conflict' where it has another version, 'exists' where the new key is taken, or 'toomany'.
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
local going = room_for(2, ARGV[5], ARGV[6], ARGV[7], before)
if not going then
    return 'toomany'
end
local next = next_version(version, ARGV[3])
-- The list first: what it refuses is not written.
enlist(2, ARGV[5], going)
put(2, next, idle, absolute, created, ARGV[4], ARGV[5])
unlist(1, before)
leave(1, ARGV[3])
return next
