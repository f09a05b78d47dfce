package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"program/sub"
)

func main() {
	mode, args := os.Args[1], os.Args[2:]
	switch mode {
	case "ordinary":
		fmt.Printf("hello\n%s\n", strings.Join(args, "|"))
		text, _ := os.ReadFile("data/in.txt")
		fmt.Printf("%s%s\n", text, größe())
		io.Copy(os.Stdout, os.Stdin)
		os.Exit(3)
	case "raise":
		panic("boom é")
	case "sleep":
		fmt.Println("before")
		time.Sleep(time.Minute)
	case "memory":
		var kept [][]byte
		for {
			kept = append(kept, bytes.Repeat([]byte("x"), 1<<20))
		}
	default:
		for {
			fmt.Println(strings.Repeat("flood", 100))
		}
	}
}

func größe() string {
	return sub.Greeting()
}
