fn main() { x }
