// Package clickloop is the root of the module; the program is cmd/clickloop, and DESIGN.md is the
// map.
package clickloop
