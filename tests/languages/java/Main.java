import java.nio.file.*;
import java.util.*;
import sub.Helper;

public class Main {
    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "ordinary" -> {
                System.out.println("hello");
                System.out.println(String.join("|", List.of(args).subList(1, args.length)));
                System.out.print(Files.readString(Path.of("data/in.txt")));
                System.out.println(Helper.größe());
                System.in.transferTo(System.out);
                System.exit(3);
            }
            case "raise" -> throw new IllegalStateException("boom é");
            case "sleep" -> {
                System.out.println("before");
                Thread.sleep(60_000);
            }
            case "memory" -> {
                var kept = new ArrayList<byte[]>();
                for (;;) kept.add(new byte[1 << 20]);
            }
            default -> {
                for (;;) System.out.println("flood".repeat(100));
            }
        }
    }
}
