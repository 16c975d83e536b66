// Package arith is the scalar arithmetic of the network: exponentials, roots, hashes and random
// starts. Package math may use fused multiply-add where the processor has it, so its results differ
// between machines. Here every product is rounded by an explicit conversion before it is added: the
// results are the same bits everywhere.
package arith
