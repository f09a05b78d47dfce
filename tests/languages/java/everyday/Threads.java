import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class Threads {
    record Point(int x, int y) {}

    public static void main(String[] args) throws Exception {
        var pool = Executors.newFixedThreadPool(8);
        List<Future<Integer>> futures = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            final int number = i;
            futures.add(pool.submit(() -> number * number));
        }
        int sum = 0;
        for (var future : futures) sum += future.get();
        pool.shutdown();
        System.out.println(sum + " " + pool.awaitTermination(10, TimeUnit.SECONDS));
        System.out.println(IntStream.rangeClosed(1, 1000).parallel().sum());
        var text = CompletableFuture.supplyAsync(() -> "a").thenCombine(
            CompletableFuture.supplyAsync(() -> "b"), String::concat);
        System.out.println(text.get());
        var count = new AtomicInteger();
        var latch = new CountDownLatch(20);
        for (int i = 0; i < 20; i++) {
            new Thread(() -> { count.incrementAndGet(); latch.countDown(); }).start();
        }
        latch.await();
        System.out.println(count + " " + new Point(1, 2));
    }
}
// Output:
// 2470 true
// 500500
// ab
// 20 Point[x=1, y=2]
