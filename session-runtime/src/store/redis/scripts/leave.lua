-- KEYS: a session that stands under a new key on another node already. ARGV: the version it must have, a tag.
-- 'left', and its mark is there instead; 'missing' where there is none; 'conflict' where it has another version.
local version = head(KEYS[1])
if not version then
    return redis.call('GET', KEYS[1]) == MARK .. ARGV[2] and 'left' or 'missing'
end
if ARGV[1] ~= version then
    return 'conflict'
end
redis.call('SET', KEYS[1], MARK .. ARGV[2], 'PX', MARK_MS)
return 'left'
