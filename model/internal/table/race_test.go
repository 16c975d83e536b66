//go:build race

package table

// sized makes long tests short where every memory access is watched.
func sized(n int) int { return n / 4 }
