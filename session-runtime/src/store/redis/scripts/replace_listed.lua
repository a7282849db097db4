-- Of the owner whose list KEYS[1] is. ARGV, after the first: what the session is called, the version that it must have and the next one; data. It is not renewed.
-- Its new version, 'missing' where there is none, or 'conflict' where it has another version.
local name = redis.call('HGET', KEYS[1], ARGV[2])
if not name then
    return 'missing'
end
local text, key = visit(KEYS[1], ARGV[2], name, now())
if not text then
    return 'missing'
end
local version = string.sub(text, 1, 16)
if ARGV[3] ~= version then
    return version == ARGV[4] and version or 'conflict'
end
redis.call('SET', key, ARGV[4] .. string.sub(text, 17) .. ARGV[5], 'KEEPTTL')
return ARGV[4]
