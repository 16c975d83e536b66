package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is set by the release build (-ldflags "-X main.version=...").
var version = "0.1.0-dev"

// versionCommand prints what a report of a fault needs: version, revision, Go's version and
// platform.
func versionCommand(_ context.Context, _ []string, stdout, _ io.Writer) error {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	fmt.Fprintf(stdout, "clickloop %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
