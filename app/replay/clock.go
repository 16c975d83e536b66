package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// recordedMode is what GET /v1/clock answers as its mode when the clock takes recorded times.
const recordedMode = "recorded"

// CheckClock returns an error unless the collector whose admin port has this URL takes recorded
// times.
// It asks a collector that does not answer yet, as one that starts, until ctx ends.
func CheckClock(ctx context.Context, h *http.Client, admin string, logger *slog.Logger) error {
	c := client{h, logger}
	target := strings.TrimSuffix(admin, "/") + "/v1/clock"
	b, err := c.call(ctx, http.MethodGet, target, "", nil)
	var no *refused
	switch {
	case errors.As(err, &no):
		return fmt.Errorf("the collector does not answer as the admin port of ingest does: %w (give its address with --collector-admin)", err)
	case err != nil:
		return fmt.Errorf("the collector does not answer: %w (start it with `clickloop ingest --clock recorded`, or give the address of its admin port with --collector-admin)", err)
	}
	var answer struct{ Mode string }
	if err := json.Unmarshal(b, &answer); err != nil {
		return fmt.Errorf("%s does not answer as ingest does: %w (give the address of its admin port with --collector-admin)", target, err)
	}
	if answer.Mode != recordedMode {
		return fmt.Errorf("the collector's clock is %q: recorded data needs stages that were started with --clock recorded (ingest and scorer)", answer.Mode)
	}
	return nil
}
