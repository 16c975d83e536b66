//go:build race

package event

// raceEnabled says that sync.Pool forgets on purpose, so that allocations cannot be counted.
const raceEnabled = true
