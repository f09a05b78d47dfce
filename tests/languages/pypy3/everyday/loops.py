"""What PyPy is taken for: a loop that its compiler makes quick, and the standard library around it."""
import collections
import hashlib
import json
import multiprocessing
import platform
import sqlite3
import threading


def primes_below(limit):
    sieve = bytearray([1]) * limit
    sieve[:2] = b"\0\0"
    for number in range(2, int(limit ** 0.5) + 1):
        if sieve[number]:
            for multiple in range(number * number, limit, number):
                sieve[multiple] = 0
    return sum(sieve)


def collatz(number):
    steps = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


if __name__ == "__main__":
    print(platform.python_implementation(), primes_below(2_000_000))
    print(max(range(1, 300_000), key=collatz))
    words = collections.Counter("the cat the dog".split())
    print(json.dumps(words, sort_keys=True), hashlib.sha256(b"x").hexdigest()[:8])
    base = sqlite3.connect("data.db")
    base.execute("CREATE TABLE t(x)")
    base.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    print(base.execute("SELECT sum(x) FROM t").fetchone())
    threads = [threading.Thread(target=words.update, args=(["dog"],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with multiprocessing.Pool(2) as pool:
        print(words["dog"], pool.map(collatz, [6, 7, 27]))

# Output:
# PyPy 148933
# 230631
# {"cat": 1, "dog": 1, "the": 2} 2d711642
# (3,)
# 5 [8, 16, 111]
