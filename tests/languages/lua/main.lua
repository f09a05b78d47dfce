local helper = require("sub.helper")

local mode = table.remove(arg, 1)
if mode == "ordinary" then
  print("hello")
  print(table.concat(arg, "|"))
  io.write(io.open("data/in.txt"):read("a"))
  print(helper.greeting())
  io.write(io.read("a"))
  os.exit(3)
elseif mode == "raise" then
  error("boom é")
elseif mode == "sleep" then
  print("before")
  io.stdout:flush()
  os.execute("sleep 60")
elseif mode == "memory" then
  local kept = {}
  while true do kept[#kept + 1] = string.rep("x", 1 << 20) .. #kept end
else
  while true do print(string.rep("flood", 100)) end
end
