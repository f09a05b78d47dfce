package main

import (
	"fmt"

	"example.org/app/internal/numbers"
	"example.org/greet"
)

func main() {
	fmt.Println(greet.Hello("modules"), numbers.Sum(1, 2, 3), helper())
}

// Output:
// hello modules 6 helped
