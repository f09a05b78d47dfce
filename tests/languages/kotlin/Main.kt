import java.io.File
import sub.größe

fun main(args: Array<String>) {
    when (args[0]) {
        "ordinary" -> {
            println("hello")
            println(args.drop(1).joinToString("|"))
            print(File("data/in.txt").readText())
            println(größe())
            System.`in`.copyTo(System.out)
            System.exit(3)
        }
        "raise" -> throw IllegalStateException("boom é")
        "sleep" -> {
            println("before")
            Thread.sleep(60_000)
        }
        "memory" -> {
            val kept = ArrayList<ByteArray>()
            while (true) kept.add(ByteArray(1 shl 20))
        }
        else -> while (true) println("flood".repeat(100))
    }
}
