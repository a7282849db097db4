-- KEYS: the session. 1: deleted. 0: there is none; the mark of a rotation stays.
if not head(KEYS[1]) then
    return 0
end
return redis.call('DEL', KEYS[1])
