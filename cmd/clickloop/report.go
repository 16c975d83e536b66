package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/report"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

const reportExamples = `  clickloop report --out report.html                                     the last day of the data
  clickloop report --from 7d --out week.html --csv week                  seven days before the newest data, and each table as CSV
  clickloop report --from 2026-11-24 --to 2026-11-25 --out monday.html   a day, in UTC
  clickloop report --from beginning                                      the summary alone, on standard output

Beside a running ` + "`clickloop up`" + ` no address is needed. Times are those of the data: a recording of 2008 is reported on as 2008.
`

// reportOptions holds the flags of report.
type reportOptions struct {
	report.Config
	out string // file
	csv string // folder
}

// reportCommand makes a report of a period: one HTML file, tables as CSV, and its summary on
// standard output.
func reportCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o reportOptions
	fs := newFlags("report", "report [flags]", reportExamples, stderr)
	common := config.CommonFlags(fs)
	const forms = "RFC 3339, a date (midnight in UTC), or a duration"
	fs.StringVar(&o.From, "from", "", "`when` the period begins: "+forms+" before --to, or beginning; default: a day before --to, or the beginning of the data")
	fs.StringVar(&o.To, "to", "", "`when` the period ends, not included: "+forms+" before the newest data; default: the end of the data")
	fs.StringVar(&o.out, "out", "", "`file` for the page (HTML)")
	fs.StringVar(&o.csv, "csv", "", "`folder` for the tables, one CSV file each")
	if err := parseFlags(fs, args, "; the file for the page goes behind --out", stderr); err != nil {
		return err
	}
	cfg, err := loadRunning(common, stderr)
	if err != nil {
		return err
	}
	client, err := dialKafka(ctx, cfg.Kafka, "clickloop-report", nil, reportNeeds(&cfg)...)
	if err != nil {
		return err
	}
	defer client.Close()
	o.Objectives, o.Currency = cfg.Objectives, currency(&cfg)
	p := &topicProgress{w: stderr, inLine: isTerminal(stderr)}
	o.Progress = p.show
	r, err := report.Make(ctx, client, o.Config)
	p.clear()
	var wrong *report.PeriodError
	if errors.As(err, &wrong) {
		return misused(stderr, "report", "%v", err)
	}
	if err != nil {
		return err
	}
	return o.write(r, stdout, stderr)
}

// reportNeeds are the topics that a report needs. It also reads the topic bids, where there is one
// that it may read.
func reportNeeds(cfg *config.Config) (needs []stream.Need) {
	topics := []string{event.TopicPredictions, event.TopicEvaluations, event.TopicDeadLetter}
	for _, o := range cfg.Objectives {
		topics = append(topics, event.TopicExamples(o.Name))
	}
	if cfg.Bidding.On() {
		topics = append(topics, event.TopicBids)
	}
	for _, name := range topics {
		needs = append(needs, stream.Need{Name: name, Operations: []string{stream.OpRead}})
	}
	return needs
}

// currency is that of the campaigns, where the configuration says that there are some.
func currency(cfg *config.Config) string {
	if cfg.Bidding.On() {
		return cfg.Bidding.Currency
	}
	return ""
}

// write writes the files and prints the summary.
func (o *reportOptions) write(r *report.Report, stdout, stderr io.Writer) error {
	if o.csv != "" {
		if err := r.WriteCSV(o.csv); err != nil {
			return err
		}
	}
	if o.out != "" {
		if err := r.WriteFile(o.out); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "written: %s\n", o.out)
	}
	return r.WriteSummary(stdout)
}

// topicProgress shows on a terminal how far topics are read.
type topicProgress struct {
	w      io.Writer
	inLine bool
	last   time.Time
}

func (p *topicProgress) show(topic string, read, total int64) {
	if !p.inLine || time.Since(p.last) < 200*time.Millisecond {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.w, "\r\033[K%s %s: %d of %d records", bar(read, total), topic, read, total)
}

func (p *topicProgress) clear() {
	if p.inLine {
		fmt.Fprint(p.w, "\r\033[K")
	}
}
