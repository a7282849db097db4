-- ARGV, after the first: the session's stamp, idle limit, time until the absolute limit or 0, data.
-- Its version, or 'exists' where the key is taken.
if taken(1) then
    local version, stamp = head(1)
    return stamp == ARGV[2] and version or 'exists'
end
local absolute = tonumber(ARGV[4])
if absolute > 0 then
    absolute = now() + absolute
end
return put(1, ARGV[2], tonumber(ARGV[3]), absolute, ARGV[5])
