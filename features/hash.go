package features

import "github.com/cespare/xxhash/v2"

// fieldHash and tokenHash name fields and tokens to the network.
func fieldHash(name string) uint64 { return xxhash.Sum64String(name) }

func tokenHash(text string) uint64 { return xxhash.Sum64String(text) }
