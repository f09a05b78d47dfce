package main

import "testing"

func TestHelper(t *testing.T) {
	if helper() != "helped" {
		t.Fatal("no help")
	}
}
