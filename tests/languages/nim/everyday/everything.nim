import std/[asyncdispatch, json, osproc, sequtils, strutils, tables, threadpool]

proc square(n: int): int = n * n

proc later(n: int): Future[int] {.async.} =
  await sleepAsync(5)
  return n + 1

let parts = toSeq(1 .. 4).mapIt(spawn square(it))
echo parts.mapIt(^it).foldl(a + b)
echo waitFor later(1)
echo parseJson("""{"ü": [1, 2]}""")["ü"].len
echo {"a": 1, "b": 2}.toTable.getOrDefault("b")
echo execCmdEx("tr a-z A-Z", input = "through tr").output.strip
# Output:
# 30
# 2
# 2
# 2
# THROUGH TR
