//go:build !amd64

package model

// useVectors does nothing: this processor has no vector forms.
func useVectors(bool) (was bool) { return false }
