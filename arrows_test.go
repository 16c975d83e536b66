package clickloop

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/clickloop/clickloop/"

// layer gives each package its height: imports go downwards only.
var layer = map[string]int{
	"event": 0, "model": 0, "stream": 0, "features": 1,
	"ingest": 2, "scorer": 2, "feedback": 2, "learner": 2,
	"cmd/clickloop": 4,
}

// lower are the internal packages that stages may use; the others are for commands alone.
var lower = map[string]bool{"internal/embedded": true, "internal/metrics": true, "internal/deadletter": true, "internal/notify": true, "internal/retry": true, "internal/repeats": true, "internal/backend": true, "internal/weights": true, "internal/watermark": true, "internal/modelfile": true, "internal/inbound": true}

// TestImportsPointOneWay keeps the arrows of DESIGN.md: cmd -> stages -> features, model, stream -> event; stages meet on topics only; the Kafka
// client is stream's alone.
func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < len(layer) {
		t.Fatalf("go list names %d packages, expected at least %d", len(lines), len(layer))
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		from := strings.TrimPrefix(fields[0], module)
		for _, imported := range fields[1:] {
			if problem := arrow(from, imported); problem != "" {
				t.Errorf("%s imports %s: %s", from, imported, problem)
			}
		}
	}
}

func arrow(from, imported string) string {
	to, ours := strings.CutPrefix(imported, module)
	switch {
	case strings.HasPrefix(imported, "github.com/segmentio/kafka-go") && from != "stream":
		return "only stream may"
	case !ours:
		return ""
	}
	fromLayer, staged := layer[from]
	toLayer, known := layer[to]
	switch {
	case !staged: // internal packages, examples, bench
		if lower[from] && known && toLayer >= 2 {
			return "a package that stages use may not use a stage"
		}
		return ""
	case known && fromLayer == 2 && toLayer == 2:
		return "stages meet on topics only"
	case known && toLayer >= fromLayer && to != from:
		return "imports point downwards"
	case fromLayer == 0:
		return "event, model and stream import none of ours"
	case !known && fromLayer <= 2 && !lower[to]:
		return "a stage may use only " + "metrics, deadletter, notify, repeats, retry, watermark, weights, modelfile, embedded and backend of internal"
	}
	return ""
}
