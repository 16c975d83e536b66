package model

import (
	"fmt"
	"math"
)

// checkInput refuses what no weight should ever be multiplied with.
func checkInput(x []Feature, y, w float64) error {
	if !finite(y) {
		return fmt.Errorf("%w: the label is %v", ErrInput, y)
	}
	if !(math.Abs(w) <= 1e6) {
		return fmt.Errorf("%w: the weight is %v: allowed are -1e6 to 1e6", ErrInput, w)
	}
	for i := range x {
		if !finite(x[i].Value) {
			return fmt.Errorf("%w: feature %d is %v", ErrInput, i, x[i].Value)
		}
		if x[i].Kind > Missing {
			return fmt.Errorf("%w: feature %d has kind %d", ErrInput, i, x[i].Kind)
		}
	}
	return nil
}
