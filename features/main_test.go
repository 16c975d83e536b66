package features

import (
	"testing"

	services "github.com/clickloop/clickloop/internal/backend"
)

func TestMain(m *testing.M) { services.Main(m) }
