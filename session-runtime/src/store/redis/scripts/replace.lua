-- KEYS: the session. ARGV: the version it must have or '', a tag, data.
-- Its new version, 'missing' where there is none, or 'conflict' where it has another version.
local version, idle, absolute = head(KEYS[1])
if not version then
    return 'missing'
end
if ARGV[1] ~= '' and ARGV[1] ~= version then
    local mine = next_version(ARGV[1], ARGV[2])
    return version == mine and mine or 'conflict'
end
local next = next_version(version, ARGV[2])
put(KEYS[1], next, idle, absolute, ARGV[3])
return next
