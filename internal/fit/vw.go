package fit

import (
	"context"
	"fmt"

	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/table"
)

// eachVW reads Vowpal Wabbit's format.
func (f *Files) eachVW(ctx context.Context, src *table.Source, path string, fn func(e *example) error) (skipped int64, err error) {
	defer src.Close()
	var e example
	n := 0
	for rec, err := range src.Records() {
		if err != nil {
			return src.Skipped(), err
		}
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return src.Skipped(), ctx.Err()
		}
		if !rec.HasY {
			return src.Skipped(), fmt.Errorf("%s: the label is missing", rec.Place())
		}
		e.w, e.y = rec.Weight, 0
		if rec.Label > 0 {
			e.y = 1
		}
		e.x = features.Encode(e.x[:0], rec.Fields)
		if err := fn(&e); err != nil {
			return src.Skipped(), at(path, rec.Line, err)
		}
	}
	return src.Skipped(), nil
}
