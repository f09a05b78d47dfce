import queue
import threading
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(8) as executor:
    print(sum(executor.map(lambda n: n * 2, range(100))))
done = queue.Queue()
threads = [threading.Thread(target=done.put, args=(i,)) for i in range(30)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(done.qsize(), threading.active_count())
threading.Timer(0.01, print, ["timer"]).start()
# Output:
# 9900
# 30 1
# timer
