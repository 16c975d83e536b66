package backend

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests as its TestMain, stops the embedded services that they shared, and
// fails when a goroutine outlives them: whoever starts one waits for its end.
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
