-- Marks sessions that are ended. ARGV, after the first: 'all', or 'one' or 'others' and what that one is called. The time, and all that are marked.
local all, which, one = entries({}, 'l'), ARGV[2], ARGV[3]
for n = 1, #all, 2 do
    local is_one = string.sub(all[n + 1], 1, 16) == one
    if which == 'all' or is_one == (which == 'one') then
        mark(all[n], all[n + 1])
    end
end
return entries({ now() }, 'e')
