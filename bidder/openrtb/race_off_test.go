//go:build !race

package openrtb

const raceEnabled = false
