package model

import (
	"errors"
	"fmt"

	"github.com/clickloop/clickloop/model/internal/codec"
)

// Errors that a caller may test with errors.Is; what is returned wraps them and says more.
var (
	// Read: the bytes begin otherwise than a model does
	ErrNotModel = errors.New("not a model file")
	// Read, Apply: the bytes were damaged on the way
	ErrChecksum = errors.New("checksum does not match")
	// Read, Apply: of another version, configuration or layout
	ErrShape = codec.ErrShape
	ErrGap   = errors.New("a delta is missing before this") // Apply: wait for the next snapshot
	// Learn: NaN, infinite or out of range; nothing was learned
	ErrInput = errors.New("input cannot be learned")
	// Learn: a logit is not finite; go back to a checkpoint
	ErrDiverged = errors.New("the network has diverged")
)

// BatchError is returned by LearnBatch when an example cannot be learned: At is its place in the
// batch.
type BatchError struct {
	At  int
	Err error
}

// Error says which example it is, and why it cannot be learned.
func (e *BatchError) Error() string { return fmt.Sprintf("example %d of the batch: %v", e.At, e.Err) }

// Unwrap is why it cannot be learned.
func (e *BatchError) Unwrap() error { return e.Err }
