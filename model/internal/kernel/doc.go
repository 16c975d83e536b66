// Package kernel is the inner loops of the network, in plain Go and as AVX2 forms. It moves floats
// and knows nothing of examples.
//
// The plain forms define the results. Sums go in a fixed order of lanes, and products are rounded
// before they are added. The vector forms agree with them bit for bit, so a model may move between
// machines. They use no fused multiply-add and no approximate reciprocals.
package kernel
