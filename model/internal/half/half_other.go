//go:build !amd64

package half

// Vector is false: this processor has no vector forms. It is a constant, so that the compiler drops
// every call of one.
const Vector = false
