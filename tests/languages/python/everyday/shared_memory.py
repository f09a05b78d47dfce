from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Manager, shared_memory


def fill(name):
    block = shared_memory.SharedMemory(name)
    block.buf[:5] = b"hello"
    block.close()
    return name


if __name__ == "__main__":
    block = shared_memory.SharedMemory(create=True, size=100)
    with ProcessPoolExecutor(2) as executor:
        print(executor.submit(fill, block.name).result() == block.name)
    print(bytes(block.buf[:5]))
    block.close()
    block.unlink()
    with Manager() as manager:
        shared = manager.dict(a=1)
        shared["b"] = 2
        print(dict(shared))
# Output:
# True
# b'hello'
# {'a': 1, 'b': 2}
