-- The list of an owner's sessions on a node of a cluster, KEYS[1]: of the last 64 characters of each session's key a text: what it is called and when its user last
-- proved who they are, and when it was entered, each of 16 characters; the tag of the rotation that brings it, of 10; `l`, or `e` where it is ended; and from where the
-- rotation brings it, until that is done.
local list = KEYS[1]

-- Only those whose text has this letter, or all.
local function entries(answer, letter)
    local all = redis.call('HGETALL', list)
    for n = 1, #all, 2 do
        if not letter or string.sub(all[n + 1], 59, 59) == letter then
            answer[#answer + 1] = all[n]
            answer[#answer + 1] = all[n + 1]
        end
    end
    return answer
end

local function mark(name, text)
    redis.call('HSET', list, name, string.sub(text, 1, 58) .. 'e' .. string.sub(text, 60))
end

-- It outlives what is in it, and what is still to be written.
local function keep_for(millis)
    millis = millis + 20000
    if redis.call('PTTL', list) < millis then
        redis.call('PEXPIREAT', list, string.format('%.0f', now() + millis))
    end
end
