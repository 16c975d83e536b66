package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/replay"
	"github.com/clickloop/clickloop/app/run"
)

// progress shows how far a replay is: in place on a terminal, else by a line every five seconds.
type progress struct {
	l      *run.Loop
	rec    *recording.Recording
	total  int64 // rows that will be played; 0: unknown
	w      io.Writer
	inLine bool   // draw over the line, on a terminal
	end    func() // ends the calls of show; nil before watch
}

// newProgress returns the progress of a replay that --limit may shorten. A recording need not say
// how many rows it has.
func newProgress(l *run.Loop, rec *recording.Recording, limit int64, w io.Writer) *progress {
	total := rec.Count()
	if limit > 0 && (limit < total || total == 0) {
		total = limit
	}
	return &progress{l: l, rec: rec, total: total, w: w, inLine: isTerminal(w)}
}

// isTerminal tells whether a person watches w: then a line may be drawn over.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// watch shows d until stop.
func (p *progress) watch(d *replay.Driver) {
	interval := 5 * time.Second
	if p.inLine {
		interval = 500 * time.Millisecond
	}
	began := time.Now()
	p.end = every(interval, func() {
		rows := d.Progress.Rows.Load()
		p.show(rows, float64(rows)/time.Since(began).Seconds())
	})
}

// show prints the rows so far, and how good the predictions are, as feedback and scorer report it.
func (p *progress) show(rows int64, perSecond float64) {
	s := p.l.Standing(context.Background(), p.rec.Objective().Name)
	line := fmt.Sprintf("%s %d of %d rows, %.0f requests/s", bar(rows, p.total), rows, p.total, perSecond)
	if left := p.total - rows; left > 0 && perSecond > 0 {
		line += fmt.Sprintf(", %.0f s left", float64(left)/perSecond)
	}
	if s.LogLoss != nil {
		line += fmt.Sprintf(", log loss %.4f", *s.LogLoss)
	}
	if s.PredictedOverActual != nil {
		line += fmt.Sprintf(", predicted/actual %.3f", *s.PredictedOverActual)
	}
	if s.Model != "" {
		line += fmt.Sprintf(", %s, %d ms old", s.Model, s.AgeMs)
	}
	if p.inLine {
		fmt.Fprintf(p.w, "\r\033[K%s", line)
		return
	}
	fmt.Fprintln(p.w, line)
}

// bar draws the share n of total. It stays empty while the total is unknown.
func bar(n, total int64) string {
	const width = 20
	filled := 0
	if total > 0 {
		filled = int(min(n*width/total, width))
	}
	return "[" + strings.Repeat("#", filled) + strings.Repeat(".", width-filled) + "]"
}

// stop ends the display and clears its line. It may be called without watch: a replay can fail
// before it starts.
func (p *progress) stop() {
	if p.end != nil {
		p.end()
	}
	if p.inLine {
		fmt.Fprint(p.w, "\r\033[K")
	}
}
