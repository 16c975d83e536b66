package main

import (
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"strings"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/app/tail"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/tlsfiles"
)

// printSummary prints the result of a replay, and what its figures mean.
func printSummary(w io.Writer, s *run.Summary, o *upOptions, rec *recording.Recording) {
	fmt.Fprintf(w, "%d requests, %d predictions, %d events, %d examples (%d positive), %d dead letters in %.1f s: %.0f requests/s\n",
		s.Requests, s.Predictions, s.Events, s.Examples, s.Positives, s.DeadLetters, s.Seconds, s.RequestsPerSecond)
	if s.Examples > 0 {
		fmt.Fprintf(w, "\nHow good the predictions were, each of which was made before its label was known:\n")
	}
	show := func(name string, v *float64, means string) {
		if v != nil {
			fmt.Fprintf(w, "  %-22s %-9.5f %s\n", name, *v, means)
		}
	}
	rate := float64(s.Positives) / float64(max(s.Examples, 1))
	blind := ""
	if s.LogLoss != nil && s.NormalizedEntropy != nil && *s.NormalizedEntropy > 0 {
		blind = fmt.Sprintf("; who always says %.3f, the share of positives, gets %.5f", rate, *s.LogLoss / *s.NormalizedEntropy)
	}
	show("log loss", s.LogLoss, "lower is better"+blind)
	show("normalized entropy", s.NormalizedEntropy, "log loss as a part of that: below 1, something is known")
	show("AUC", s.AUC, "how often a positive is ranked above a negative; 0.5 is chance")
	show("predicted over actual", s.PredictedOverActual, "1: as many positives came as were predicted")
	fmt.Fprintf(w, "  %-22s %s\n  %-22s %s\n", "model", s.Model, "weights", s.Weights)
	if s.Behind != nil {
		fmt.Fprintf(w, "\n%s\n", pace(s, o, rec))
	}
}

// pace says by how many examples the weights were behind, and how that affects the figures.
func pace(s *run.Summary, o *upOptions, rec *recording.Recording) string {
	window, behind := rec.Objective().Window, int64(math.Round(*s.Behind))
	if o.lockstep {
		text := fmt.Sprintf("In lockstep, each prediction is made with all that is known by then, as it would be in real time: a label is known %v after\n"+
			"its prediction, so on average the last %d examples were not learned yet. Learned without that delay, the loss is lower.", window, behind)
		if o.limit == 0 && o.common.File == "" {
			text += fmt.Sprintf("\nThe weights are, bit for bit, those of: %s fit %s", calledAs(), tail.ShellQuote(o.replay))
		}
		return text
	}
	text := fmt.Sprintf("On average, the last %d examples were not learned yet when a prediction was made; a label is known %v of recorded time after it.", behind, window)
	if o.speed == 0 {
		text += "\nRequests came as fast as they could, which is faster than labels were learned, so predictions were worse than in real time, and alarms\n" +
			"about them are right. --lockstep waits for what is learned and shows the loop as it is in real time."
	}
	return text
}

// calledAs returns the command by which this process was called.
func calledAs() string { return tail.ShellQuote(os.Args[0]) }

// curl returns the beginning of a command that calls a port. A certificate is for a name, which an
// address is not; the command passes over it, since it calls this machine.
func curl(cfg *config.Config, cert tlsfiles.Server, scope access.Scope) string {
	text := "curl -s "
	if cert.Enabled() {
		text += "-k "
	}
	if cfg.Access.Has(scope) {
		text += "-H \"Authorization: Bearer $KEY\" "
	}
	return text
}

// printTry prints commands that a reader can paste as they are.
func printTry(w io.Writer, l *run.Loop, cfg *config.Config, rec *recording.Recording) {
	request := `{"request":"try-1","context":{},"candidates":[{"ad":"a1"}]}`
	for row, err := range rec.Rows() {
		if err == nil {
			b := append([]byte(`{"request":"try-1","context":`), row.Context.AppendJSON(nil)...)
			b = append(b, `,"candidates":[{"ad":`...)
			request = string(append(strictjson.AppendString(b, row.Ad), `}]}`...))
		}
		break
	}
	kafka := strings.Join(l.Kafka, ",")
	at := " --kafka " + tail.ShellQuote(kafka)
	if prefix := l.Client.Prefix(); prefix != config.Default().Kafka.Prefix {
		at += " --prefix " + tail.ShellQuote(prefix)
	}
	objective := rec.Objective().Name
	fmt.Fprint(w, "\nIt goes on serving; end it with Ctrl-C. Try, from another terminal:\n")
	try := func(what, command string) { fmt.Fprintf(w, "\n  # %s\n  %s\n", what, command) }
	try("ask for a prediction", fmt.Sprintf("%s%s -d %s", curl(cfg, cfg.HTTPS, access.Score), urlOf(l.HTTP, cfg.HTTPS.Enabled())+"/v1/score", tail.ShellQuote(request)))
	try("the last predictions, and what was learned from positives", calledAs()+" tail predictions -o -1 -e"+at)
	fmt.Fprintf(w, "  %s tail examples.%s -o -1000 -e --where y=1 -c 3%s\n", calledAs(), objective, at)
	try("which features matter", calledAs()+" model show "+objective+at)
	try("how good predictions were, hour by hour", curl(cfg, cfg.AdminHTTPS, access.Admin)+tail.ShellQuote(urlOf(l.Admin, cfg.AdminHTTPS.Enabled())+"/v1/evaluation?objective="+url.QueryEscape(objective)))
	try("is all well?", calledAs()+" doctor"+at)
	try("messages are plain JSON, for kcat and jq too", fmt.Sprintf("kcat -C -q -b %s -t %spredictions -o -1 -e | jq -c .p", kafka, l.Client.Prefix()))
	fmt.Fprintln(w)
}
