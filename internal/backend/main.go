package backend

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main is the TestMain of a package. It runs the tests, stops the embedded services that they
// share, and fails when a goroutine outlives them: code that starts a goroutine waits for its end.
func Main(m *testing.M) {
	status := m.Run()
	if shared.services != nil {
		if err := shared.services.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot close embedded services:", err)
			status = 1
		}
	}
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}
