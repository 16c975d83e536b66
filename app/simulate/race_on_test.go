//go:build race

package simulate

// raced says that the race detector is on: then what one goroutine computes for long is left out.
const raced = true
