package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync"
	"time"
)

func main() {
	numbers := make(chan int, 10)
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			numbers <- number
		}(i)
	}
	go func() { group.Wait(); close(numbers) }()
	sum := 0
	for number := range numbers {
		sum += number
	}
	fmt.Println(sum)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "path ", r.URL.Path)
	}))
	answer, err := http.Get(server.URL + "/é")
	if err != nil {
		panic(err)
	}
	text, _ := io.ReadAll(answer.Body)
	fmt.Println(string(text))
	output, _ := exec.Command("echo", "from a process").Output()
	fmt.Print(string(output))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	fmt.Println(ctx.Err())
}

// Output:
// 4950
// path /é
// from a process
// context deadline exceeded
