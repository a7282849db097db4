-- From the first key to the second. ARGV, after the first: the version that the session must have, a tag, data, what stands beside it. Afterwards it has no owner.
-- Its new version, 'missing' where there is none, 'conflict' where it has another version, or 'exists' where the new key is taken.
local version, idle, absolute, created, beside = head(1)
if not version then
    return 'missing'
end
if ARGV[2] ~= version then
    return 'conflict'
end
if taken(2) then
    return 'exists'
end
local next = next_version(version, ARGV[3])
put(2, next, idle, absolute, created, ARGV[4], ARGV[5])
unlist(1, beside)
leave(1, ARGV[3])
return next
