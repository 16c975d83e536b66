//go:build race

package price

// raced says that the race detector is on, which takes simulations of one goroutine ten times as
// long and finds nothing in them.
const raced = true
