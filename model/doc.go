// Package model is the network that learns click prediction online, one example at a time. It has
// the forward and backward passes, the optimizers, the online encoders of numbers, checkpoints, and
// the snapshots and deltas that a scorer follows.
//
// It is pure arithmetic: no clock, no files, no Kafka, and no goroutine whose timing could change a
// result. A Net learns and belongs to one goroutine; a Replica serves what a Net has published. The
// one invariant: what is learned depends on the configuration and on the order of the examples
// alone, bit for bit, on every machine.
//
// Net and Replica are a façade over one core: the state that learning changes. What is computed
// over it is an engine: the mixture of members, or a plain network of the parts that the
// configuration names. The packages in internal hold what knows nothing of networks: arithmetic,
// vector kernels, tables of entries, quantiles of numbers, and the encoding of bytes.
package model
