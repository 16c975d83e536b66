// Package model is the network: pure arithmetic, no clock, no files, no Kafka.
package model

import (
	"errors"
	"io"
)

// Errors that Read and Replica.Apply wrap.
var (
	ErrNotModel = errors.New("not a model file")
	ErrChecksum = errors.New("checksum does not match")
	ErrShape    = errors.New("another shape")
	ErrGap      = errors.New("a delta is missing")
	ErrInput    = errors.New("input is not a finite number")
	ErrDiverged = errors.New("the net has diverged")
)

var errStub = errors.New("model: not built yet")

type Net struct{ c Config }
type Scratch struct{}
type Replica struct{}

func New(c Config) (*Net, error)                                               { return &Net{c}, c.Validate() }
func (n *Net) NewScratch() *Scratch                                            { return &Scratch{} }
func (n *Net) Predict(x []Feature, s *Scratch) float64                         { return n.c.Prior }
func (n *Net) Learn(x []Feature, y, w float64, s *Scratch) (float64, error)    { return n.c.Prior, nil }
func (n *Net) LearnBatch(xs [][]Feature, ys, ws, ps []float64) error           { return errStub }
func (n *Net) PredictClasses(dst []float64, x []Feature, s *Scratch) []float64 { return dst }
func (n *Net) LearnClass(x []Feature, class int, w float64, s *Scratch) error  { return errStub }
func (n *Net) Examples() int64                                                 { return 0 }
func (n *Net) Config() Config                                                  { return n.c }
func (n *Net) Hash() [32]byte                                                  { return [32]byte{} }
func (n *Net) WriteTo(w io.Writer) (int64, error)                              { return 0, errStub }
func Read(r io.Reader) (*Net, error)                                           { return nil, errStub }
func (n *Net) AppendSnapshot(dst []byte) []byte                                { return dst }
func (n *Net) AppendDelta(dst []byte) []byte                                   { return dst }
func NewReplica() *Replica                                                     { return &Replica{} }
func (r *Replica) Apply(msg []byte) error                                      { return errStub }
func (r *Replica) Examples() int64                                             { return 0 }
func (r *Replica) Config() Config                                              { return Config{} }
func (r *Replica) Clone() *Replica                                             { return &Replica{} }
func (r *Replica) NewScratch() *Scratch                                        { return &Scratch{} }
func (r *Replica) Predict(x []Feature, s *Scratch) float64                     { return 0 }
