//go:build race

package ledger

// raceEnabled says that everything takes some ten times as long.
const raceEnabled = true
