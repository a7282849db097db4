-- ARGV, after the first: the version that the session must have and the next one, or '' and the tag of the next; data.
-- Its new version, 'missing' where there is none, or 'conflict' where it has another version.
local version, idle, absolute = head(1)
if not version then
    return 'missing'
end
if ARGV[2] ~= '' and ARGV[2] ~= version then
    return version == ARGV[3] and version or 'conflict'
end
local next = ARGV[2] == '' and next_version(version, ARGV[3]) or ARGV[3]
put(1, next, idle, absolute, ARGV[4])
return next
