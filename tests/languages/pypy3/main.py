import sys
import time

from sub.helper import größe

mode, *args = sys.argv[1:]
if mode == "ordinary":
    print("hello")
    print("|".join(args))
    with open("data/in.txt") as file:
        print(file.read(), end="")
    print(größe())
    sys.stdout.write(sys.stdin.read())
    sys.exit(3)
if mode == "raise":
    raise ValueError("boom é")
if mode == "sleep":
    print("before", flush=True)
    time.sleep(60)
if mode == "memory":
    kept = []
    while True:
        kept.append(bytearray(1 << 20))
while True:
    print("flood" * 100)
