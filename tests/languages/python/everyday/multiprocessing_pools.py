import multiprocessing as mp


def square(number):
    return number * number


def put(queue, lock, total, number):
    with lock:
        total.value += number
    queue.put(number)


def main():
    for method in ("fork", "spawn", "forkserver"):
        context = mp.get_context(method)
        with context.Pool(3) as pool:
            squares = pool.map(square, range(10))
        queue, lock, total = context.Queue(), context.Lock(), context.Value("i", 0)
        workers = [context.Process(target=put, args=(queue, lock, total, i)) for i in range(3)]
        for worker in workers:
            worker.start()
        numbers = sorted(queue.get() for _ in workers)
        for worker in workers:
            worker.join()
        print(method, sum(squares), numbers, total.value, [w.exitcode for w in workers])


if __name__ == "__main__":
    main()
# Output:
# fork 285 [0, 1, 2] 3 [0, 0, 0]
# spawn 285 [0, 1, 2] 3 [0, 0, 0]
# forkserver 285 [0, 1, 2] 3 [0, 0, 0]
