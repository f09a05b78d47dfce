main = x
