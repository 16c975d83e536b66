package main

import (
	"strings"
	"unsafe"

	"github.com/clickloop/clickloop/internal/settings"
)

// hideSecrets returns a copy of os.Args, and overwrites what may be a password in the arguments
// that the process list shows. They are readable for every user until then, for less than a
// millisecond or so: a file or a variable is never shown.
//
// The runtime makes os.Args of the system's own memory, so that is what is overwritten.
func hideSecrets(args []string) []string {
	kept := make([]string, len(args))
	for i, arg := range args {
		kept[i] = strings.Clone(arg)
		shown := settings.Redact(kept[i])
		if shown == kept[i] {
			continue
		}
		memory := unsafe.Slice(unsafe.StringData(arg), len(arg))
		for at := copy(memory, shown); at < len(memory); at++ {
			memory[at] = ' '
		}
	}
	return kept
}
