package tail

import (
	"testing"

	"github.com/clickloop/clickloop/internal/backend"
)

func TestMain(m *testing.M) { backend.Main(m) }
