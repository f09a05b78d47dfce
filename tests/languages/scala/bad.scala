object Bad extends App { x() }
