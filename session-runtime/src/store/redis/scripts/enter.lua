-- A session enters, before its row is written. ARGV, after the first: its name here, what it is called, its age, its age when its user proved who they are, the tag and the name from
-- where a rotation brings it or '', how long the list is to be kept, how many the owner may have or 0, 1 if one more is refused, 1 if what is here was looked at.
-- 'entered' and those that are to be ended before the row is written; 'full' and all, which are to be looked at; 'toomany'; 'missing', where what moves is ended; or 'taken', where it is here already.
local at, from, limit = now(), ARGV[7], tonumber(ARGV[9])
if redis.call('HGET', list, ARGV[2]) then
    return { 'taken' }
end
local before = from ~= '' and redis.call('HGET', list, from)
if before and string.sub(before, 59, 59) == 'e' then
    return { 'missing' }
end
local all = entries({}, 'l')
local live, known = {}, {}
for n = 1, #all, 2 do
    local handle, proven = string.sub(all[n + 1], 1, 16), tonumber(string.sub(all[n + 1], 17, 32))
    if not known[handle] then
        known[handle] = { handle = handle, proven = proven }
        live[#live + 1] = known[handle]
    elseif proven > known[handle].proven then
        known[handle].proven = proven
    end
end
local surplus = limit > 0 and not before and #live + 1 - limit or 0
local count = #all / 2
-- Nobody may ever look at this list: each time that it has doubled, what is gone is taken out.
local long = 8
while long < count do
    long = 2 * long
end
if (surplus > 0 or limit == 0 and count == long) and ARGV[11] ~= '1' then
    return entries({ 'full' })
end
if surplus > 0 then
    if ARGV[10] == '1' then
        return { 'toomany' }
    end
    table.sort(live, goes_before)
    local going = {}
    for n = 1, surplus do
        going[live[n].handle] = true
    end
    for n = 1, #all, 2 do
        if going[string.sub(all[n + 1], 1, 16)] then
            mark(all[n], all[n + 1])
        end
    end
end
local created = math.max(at - tonumber(ARGV[4]), 0)
redis.call('HSET', list, ARGV[2], ARGV[3] .. digits(created + tonumber(ARGV[5])) .. digits(at) .. ARGV[6] .. 'l' .. from)
keep_for(tonumber(ARGV[8]))
return entries({ 'entered' }, 'e')
