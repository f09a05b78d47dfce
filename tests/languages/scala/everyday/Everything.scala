import scala.concurrent._
import scala.concurrent.duration._
import scala.concurrent.ExecutionContext.Implicits.global
import scala.sys.process._

case class Point(x: Int, y: Int = 2)

object Everything extends App {
  val futures = (1 to 5).map(n => Future(n * n))
  println(Await.result(Future.sequence(futures), 10.seconds).sum)
  println(List("b", "a", "größe").groupBy(_.length).mapValues(_.size).toSeq.sorted)
  Point(1) match {
    case Point(x, y) if y > x => println(s"$x < $y")
    case _ => println("no")
  }
  println((1 to 10).par.map(_ * 2).sum + " " + "x1y2".replaceAll("[0-9]", "#"))
  print("echo from a process".!!)
}
// Output:
// 55
// ArrayBuffer((1,2), (5,1))
// 1 < 2
// 110 x#y#
// from a process
