-- ARGV, after the first: the version that the session must have or '', a tag, data.
-- Its new version, 'missing' where there is none, or 'conflict' where it has another version.
local version, idle, absolute = head(1)
if not version then
    return 'missing'
end
if ARGV[2] ~= '' and ARGV[2] ~= version then
    local mine = next_version(ARGV[2], ARGV[3])
    return version == mine and mine or 'conflict'
end
local next = next_version(version, ARGV[3])
put(1, next, idle, absolute, ARGV[4])
return next
