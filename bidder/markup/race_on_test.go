//go:build race

package markup

// raceEnabled says that sync.Pool forgets on purpose, so that allocations cannot be counted.
const raceEnabled = true
