local words = {}
for word in ("the quick brown fox"):gmatch("%a+") do words[#words + 1] = word end
table.sort(words)
print(table.concat(words, " "), 7 // 2, 3 & 5)
local generator = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end)
print(generator(), generator(), generator())
local ok, message = pcall(error, {code = 5})
print(ok, message.code, utf8.len("größe"))
local pipe = io.popen("echo from a shell")
print(pipe:read("l"), string.format("%5.2f|%q", 3.14159, "x"))
-- Output:
-- brown fox quick the	3	1
-- 1	4	9
-- false	5	5
-- from a shell	 3.14|"x"
