//go:build !race

package model

func sized(n int) int { return n }
