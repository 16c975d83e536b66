//go:build !amd64

package half

// Vector is false: there are no vector forms for this processor.
var Vector = false

func packAVX(dst *uint16, src *float32, n int)   { panic("BUG: no vector instructions here") }
func unpackAVX(dst *float32, src *uint16, n int) { panic("BUG: no vector instructions here") }
