import java.nio.file.{Files, Paths}
import scala.collection.mutable.ArrayBuffer
import sub.Helper

object Main {
  def main(args: Array[String]): Unit = args(0) match {
    case "ordinary" =>
      println("hello")
      println(args.drop(1).mkString("|"))
      print(new String(Files.readAllBytes(Paths.get("data/in.txt")), "UTF-8"))
      println(Helper.größe)
      print(scala.io.Source.stdin.mkString)
      sys.exit(3)
    case "raise" => throw new IllegalStateException("boom é")
    case "sleep" =>
      println("before")
      Thread.sleep(60000)
    case "memory" =>
      val kept = ArrayBuffer[Array[Byte]]()
      while (true) kept += new Array[Byte](1 << 20)
    case _ => while (true) println("flood" * 100)
  }
}
