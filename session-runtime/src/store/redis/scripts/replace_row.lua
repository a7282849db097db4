-- ARGV, after those: the version that it must have and the next one; data. It is not renewed.
if not is_it() then
    return 'missing'
end
local version = string.sub(text, 1, 16)
if ARGV[4] ~= version then
    return version == ARGV[5] and version or 'conflict'
end
redis.call('SET', KEYS[1], ARGV[5] .. string.sub(text, 17) .. ARGV[6], 'KEEPTTL')
return ARGV[5]
