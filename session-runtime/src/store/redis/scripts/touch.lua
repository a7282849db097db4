-- 1: renewed. 0: there is none.
local version, idle, absolute = head(1)
if not version then
    return 0
end
renew(1, idle, absolute)
return 1
