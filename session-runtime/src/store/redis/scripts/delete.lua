-- 1: deleted. 0: there is none; the mark of a rotation stays.
if not head(1) then
    return 0
end
remove(1)
return 1
