-- 1: deleted, or what stood beside the data, where the list of its owner's is to hear of it. 0: there is none; the mark of a rotation stays.
local version, _, _, _, beside = head(1)
if not version then
    return 0
end
unlist(1, beside)
remove(1)
return is_listed_elsewhere(beside) and beside or 1
