// Package model is the network that learns click prediction online, one example at a time: forward,
// backward, optimizers, online encoders of numbers, checkpoints, and the snapshots and deltas that
// a scorer follows.
//
// It is pure arithmetic: no clock, no files, no Kafka, and no goroutine whose timing could change a
// result. A Net learns and belongs to one goroutine; a Replica serves what a Net has published. The
// one invariant: what is learned depends on the configuration and on the order of the examples
// alone, bit for bit, on every machine.
package model
