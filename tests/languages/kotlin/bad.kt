fun main() { x() }
