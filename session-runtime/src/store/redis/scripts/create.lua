-- KEYS: the session. ARGV: its version, idle limit, time until the absolute limit or 0, data.
-- Its version, or 'exists' where the key is taken.
if redis.call('EXISTS', KEYS[1]) == 1 then
    return head(KEYS[1]) == ARGV[1] and ARGV[1] or 'exists'
end
local absolute = tonumber(ARGV[3])
if absolute > 0 then
    absolute = now() + absolute
end
put(KEYS[1], ARGV[1], tonumber(ARGV[2]), absolute, ARGV[4])
return ARGV[1]
