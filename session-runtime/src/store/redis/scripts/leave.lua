-- The session stands under a new key on another node already. ARGV, after the first: the version that it must have, a tag.
-- 'left', and its mark is there instead, and what stood beside the data, where the list of its owner's is to hear of it; 'missing' where there is none; 'conflict' where it has another version.
local version, _, _, _, beside = head(1)
if not version then
    return left(1, ARGV[3]) and 'left' or 'missing'
end
if ARGV[2] ~= version then
    return 'conflict'
end
leave(1, ARGV[3])
return is_listed_elsewhere(beside) and 'left' .. beside or 'left'
