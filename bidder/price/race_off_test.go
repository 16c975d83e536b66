//go:build !race

package price

const raced = false
