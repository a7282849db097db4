-- ARGV, after the first: the version that the session must have and the next one; idle limit; absolute limit, which counts from the creation, or 0; data;
-- what stands beside it. Its owner stays, and what it is called in the owner's list.
-- Its new version, 'missing' where there is none, or 'conflict' where it has another version.
local version, idle, _, created, before = head(1)
if not version then
    return 'missing'
end
if ARGV[2] ~= version then
    return version == ARGV[3] and version or 'conflict'
end
if not (idle and created) then
    expiry()
end
local absolute, beside = tonumber(ARGV[5]), ARGV[7]
if absolute > 0 then
    absolute = created + absolute
end
if before ~= '' and string.sub(before, 33, 33) ~= '-' then
    local other = beside == '' and string.rep('-', 97) or beside
    beside = string.sub(other, 1, 16) .. string.sub(before, 17, 96) .. string.sub(other, 97)
end
put(1, ARGV[3], tonumber(ARGV[4]), absolute, created, ARGV[6], beside)
-- And what the list of its owner's is to hear, on another node.
return is_listed_elsewhere(beside) and ARGV[3] .. beside .. digits(created) .. digits(tonumber(ARGV[4])) or ARGV[3]
