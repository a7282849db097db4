-- ARGV, after the first: the version that the session must have and the next one; data.
-- Its new version, 'missing' where there is none, or 'conflict' where it has another version.
local version, idle, absolute, created, beside = head(1)
if not version then
    return 'missing'
end
if ARGV[2] ~= version then
    return version == ARGV[3] and version or 'conflict'
end
put(1, ARGV[3], idle, absolute, created, ARGV[4], beside)
return ARGV[3]
