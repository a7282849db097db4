-- 1: renewed. 0: there is none. Or, renewed, what stands beside the data, the creation and the idle limit, of which the list of its owner's is to hear.
local version, idle, absolute, created, beside = head(1)
if not version then
    return 0
end
if renew(1, idle, absolute, beside) then
    return beside .. digits(created) .. digits(idle)
end
return 1
