import os, strutils
import sub/helper

let args = commandLineParams()
case args[0]
of "ordinary":
  echo "hello"
  echo args[1 .. ^1].join("|")
  stdout.write(readFile("data/in.txt"))
  echo größe()
  stdout.write(stdin.readAll())
  quit(3)
of "raise":
  raise newException(ValueError, "boom é")
of "sleep":
  echo "before"
  stdout.flushFile()
  sleep(60_000)
of "memory":
  var kept: seq[string]
  while true:
    kept.add(repeat('x', 1 shl 20))
else:
  while true:
    echo repeat("flood", 100)
