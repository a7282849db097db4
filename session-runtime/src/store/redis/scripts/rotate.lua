-- KEYS: the session, its new key. ARGV: the version it must have, a tag, data.
-- Its new version, 'missing' where there is none, 'conflict' where it has another version, or 'exists' where the new key is taken.
local version, idle, absolute = head(KEYS[1])
if not version then
    return 'missing'
end
if ARGV[1] ~= version then
    return 'conflict'
end
if redis.call('EXISTS', KEYS[2]) == 1 then
    return 'exists'
end
local next = next_version(version, ARGV[2])
put(KEYS[2], next, idle, absolute, ARGV[3])
redis.call('SET', KEYS[1], MARK .. ARGV[2], 'PX', MARK_MS)
return next
