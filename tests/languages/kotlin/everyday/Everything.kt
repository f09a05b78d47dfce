import kotlin.concurrent.thread

data class Point(val x: Int, val y: Int = 2)

sealed class Shape
class Circle(val r: Double) : Shape()
object Empty : Shape()

fun area(shape: Shape) = when (shape) {
    is Circle -> shape.r * shape.r
    Empty -> 0.0
}

fun main() {
    var total = 0
    (1..5).map { n -> thread { synchronized(Empty) { total += n } } }.forEach { it.join() }
    println("$total ${Point(1).copy(y = 3)}")
    println(listOf("b", "a", "größe").sorted().groupBy { it.length }.mapValues { it.value.size })
    println(sequence { var n = 1; while (true) { yield(n); n *= 2 } }.take(5).toList())
    println("${area(Circle(2.0))} ${area(Empty)} ${"x1y2".replace(Regex("[0-9]"), "#")}")
    val name: String? = null
    println(name?.length ?: "null")
}
// Output:
// 15 Point(x=1, y=3)
// {1=2, 5=1}
// [1, 2, 4, 8, 16]
// 4.0 0.0 x#y#
// null
