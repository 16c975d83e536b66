package fit

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// calibrated is what was served and what the network itself said, of a run in lockstep.
type calibrated struct{ served, raw, labels []float64 }

func runCalibrated(t *testing.T, dir string, profiles []features.ProfileConfig) (c calibrated) {
	t.Helper()
	rec, err := recording.Open(filepath.Join("../../examples", dir))
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.New(model.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	r := NewRun(rec.Objective().Name, net)
	predict := r.predict
	r.predict = func(x []model.Feature) float64 {
		c.served = append(c.served, predict(x))
		c.raw = append(c.raw, r.scratch.Raw())
		return c.served[len(c.served)-1]
	}
	r.Observe(func(_ Place, p, y float64) error {
		if at := len(c.labels); p != c.served[at] {
			t.Fatalf("row %d was predicted %v, and %v is judged", at, c.served[at], p)
		}
		c.labels = append(c.labels, y)
		return nil
	})
	if err := r.Recording(t.Context(), rec, features.Config{Context: []string{"*"}, Profiles: profiles}, 0); err != nil {
		t.Fatal(err)
	}
	if len(c.labels) != len(c.served) || len(c.labels) < 10_000 {
		t.Fatalf("%d predictions, %d labels", len(c.served), len(c.labels))
	}
	return c
}

// logLoss is the mean of p's log loss, and p over actual.
func (c calibrated) logLoss(p []float64) (loss, over float64) {
	var sum, labels float64
	for i, y := range c.labels {
		loss -= math.Log(y*p[i] + (1-y)*(1-p[i]))
		sum, labels = sum+p[i], labels+y
	}
	return loss / float64(len(p)), sum / labels
}

// What is served must add up to the labels and lose nothing against the network's own
// probabilities, on both recordings, with their label delay and the features that fit gives them.
// Other features make other predictions of the same labels: there it may lose a little.
func TestServedProbabilitiesAddUpAndCostNoLogLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("learns two whole recordings")
	}
	for _, at := range []struct {
		dir      string
		profiles []features.ProfileConfig
		loss     float64 // that may be lost
		off      float64 // that predicted over actual may be
	}{
		{"bank-marketing", config.DefaultFeatures().Profiles, 0, 0.03},
		{"online-shoppers", config.DefaultFeatures().Profiles, 0, 0.03},
		{"bank-marketing", nil, 0, 0.035},
		{"online-shoppers", nil, 0.0001, 0.035},
	} {
		t.Run(fmt.Sprintf("%s with %d profiles", at.dir, len(at.profiles)), func(t *testing.T) {
			t.Parallel()
			c := runCalibrated(t, at.dir, at.profiles)
			served, over := c.logLoss(c.served)
			raw, overRaw := c.logLoss(c.raw)
			t.Logf("log loss %.5f served, %.5f raw; predicted over actual %.4f served, %.4f raw", served, raw, over, overRaw)
			if served > raw+at.loss {
				t.Errorf("log loss is %.5f, that of the network itself %.5f", served, raw)
			}
			if math.Abs(over-1) > at.off {
				t.Errorf("predicted over actual is %.4f, that of the network itself %.4f", over, overRaw)
			}
		})
	}
}
