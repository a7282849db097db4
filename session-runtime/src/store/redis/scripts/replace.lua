-- ARGV, after the first: the version that the session must have or '', a tag, data.
-- Its new version, 'missing' where there is none, or 'conflict' where it has another version.
local version, stamp, idle, absolute = head(1)
if not version then
    return 'missing'
end
if ARGV[2] ~= '' and ARGV[2] ~= version then
    return string.sub(stamp, 7) == ARGV[3] and version or 'conflict'
end
return put(1, next_stamp(stamp, ARGV[3]), idle, absolute, ARGV[4])
