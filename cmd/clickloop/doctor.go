package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/spool"
	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/clickloop/clickloop/stream"
)

const doctorExamples = `  clickloop doctor                                          beside a running ` + "`clickloop up`" + `, whose addresses it finds
  clickloop doctor --config clickloop.yaml --kafka localhost:9092 --redis localhost:6379
  clickloop doctor --ready http://localhost:8080            is that stage ready? (for health checks)
`

// doctorCommand checks what a deployment needs: configuration, Kafka, its topics, weights, Redis.
// It changes nothing. The exit status is 1 when a check fails, so scripts may call it.
func doctorCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags("doctor", "doctor [flags]", doctorExamples, stderr)
	common := config.CommonFlags(fs)
	ready := fs.String("ready", "", "ask this stage's `URL` for /readyz only")
	if err := parseFlags(fs, args, "", stderr); err != nil {
		return err
	}
	if *ready != "" && fs.NFlag() > 1 {
		return misused(stderr, "doctor", "--ready asks one stage and nothing else: leave the other flags out")
	}
	// each service has the time to itself: a Kafka that is slow must not hide what ails Redis
	kafkaCtx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if *ready != "" {
		return askReady(kafkaCtx, *ready)
	}
	d := doctor{w: stdout}
	cfg, err := common.Load()
	d.report("configuration", err, "correct the line that is named; the reference is docs/reference/settings.md")
	if err == nil {
		d.certificate("https", cfg.HTTPS)
		d.certificate("admin_https", cfg.AdminHTTPS)
		d.find(&cfg, common)
		d.spool(cfg.Scorer.Spool)
		client := d.kafka(kafkaCtx, &cfg)
		redisCtx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		d.redis(redisCtx, &cfg, client)
		if client != nil {
			defer client.Close()
		}
	}
	if d.faults > 0 {
		return fmt.Errorf("%d of %d checks failed", d.faults, d.checks)
	}
	return nil
}

// askReady asks one stage whether it is ready. Health checks of containers call it, since the image
// holds no other program.
func askReady(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(b)))
	}
	return nil
}

// doctor runs checks and prints a line for each.
type doctor struct {
	w              io.Writer
	checks, faults int // made, and failed
}

// report prints the result of a check. mend says what a person can do about err.
func (d *doctor) report(what string, err error, mend string) {
	d.checks++
	if err == nil {
		fmt.Fprintf(d.w, "ok     %s\n", what)
		return
	}
	d.faults++
	var denied *stream.AccessError
	if errors.As(err, &denied) {
		err, mend = errors.New(denied.What), denied.Mend
	}
	fmt.Fprintf(d.w, "WRONG  %s: %v\n       mend it: %s\n", what, err, mend)
}

// find completes cfg with the addresses of a `clickloop up` on this machine: the one with the given
// brokers, or the only one.
func (d *doctor) find(cfg *config.Config, common *config.Common) {
	up, err := findUp(cfg.Data)
	if len(cfg.Kafka.Brokers) > 0 {
		if up = upAt(cfg.Kafka.Brokers); up == nil {
			return
		}
		err = nil
	}
	switch {
	case err == nil:
		useUp(cfg, common, up)
		d.report("running "+describeUp(up), nil, "")
	case !errors.Is(err, errNoBrokers):
		d.report("running `clickloop up`", err, "say which")
	}
}

// kafka checks that brokers answer, that topics have the right settings, and that each model topic
// holds weights. It returns the client, or nil when no broker answers.
func (d *doctor) kafka(ctx context.Context, cfg *config.Config) *stream.Client {
	if len(cfg.Kafka.Brokers) == 0 {
		d.report("Kafka", errors.New("no brokers are given"), "set kafka.brokers, --kafka host:port or CLICKLOOP_KAFKA; `clickloop up` runs an embedded one")
		return nil
	}
	client, err := cfg.Kafka.Dial("clickloop-doctor", nil, nil)
	if err == nil {
		err = within(ctx, 5*time.Second, func(ctx context.Context) error { return client.CheckAccess(ctx) })
	}
	d.report("Kafka at "+strings.Join(cfg.Kafka.Brokers, ","), err, "start Kafka there, or give the right address; from inside a container it is not localhost")
	if err != nil {
		if client != nil {
			_ = client.Close()
		}
		return nil
	}
	for _, t := range cfg.Topics() {
		if d.topic(ctx, client, cfg.Kafka.Prefix, t) {
			d.transactions(ctx, client, cfg.Kafka.Prefix, t.Name)
		}
	}
	for _, o := range cfg.Objectives {
		err := within(ctx, 5*time.Second, func(ctx context.Context) error {
			ranges, err := client.Offsets(ctx, event.TopicModel(o.Served()))
			if err == nil && ranges[0].First >= ranges[0].End {
				err = errors.New("its topic holds none")
			}
			return err
		})
		d.report("weights of "+o.Served(), err, "start `clickloop learner`: it publishes a snapshot as it starts")
	}
	return client
}

// topic reports whether a topic exists with the right settings.
func (d *doctor) topic(ctx context.Context, client *stream.Client, prefix string, t event.Topic) (ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// kafka-go's metadata cannot tell a topic that is missing from one that may not be described
	err := client.CheckAccess(ctx, stream.Need{Name: t.Name, Operations: []string{stream.OpRead, stream.OpDescribeConfigs}})
	if err == nil {
		err = client.CheckTopic(ctx, stream.Topic(t))
	}
	what, mend := "topic "+prefix+t.Name, "start the stages, or `clickloop up`: they make topics that are missing"
	if n, countErr := client.Partitions(ctx, t.Name); countErr == nil && err == nil && t.Ordered && n > 1 {
		what += fmt.Sprintf(" (it has %d partitions, of which 0 alone is used: its order matters)", n)
	}
	var wrong *stream.TopicError
	if errors.As(err, &wrong) {
		err, mend = fmt.Errorf("%s is %s, want %s", wrong.Setting, wrong.Found, wrong.Wanted), wrong.Mend
	}
	d.report(what, err, mend)
	return err == nil
}

// hangs is the age from which an open transaction is reported. A healthy producer commits sooner.
const hangs = 2 * time.Second

// transactions reports open transactions. Stages read committed records only, so they stop before
// an open transaction until it ends.
func (d *doctor) transactions(ctx context.Context, client *stream.Client, prefix, topic string) {
	ctx, cancel := context.WithTimeout(ctx, hangs+3*time.Second)
	defer cancel()
	open, err := client.OpenTransactions(ctx, topic, hangs)
	for _, t := range open {
		d.report("reading "+prefix+topic, fmt.Errorf("partition %d: a transaction is open since offset %d and holds back %d records", t.Partition, t.Oldest, t.Records),
			"its producer must commit or abort it; kafka-transactions.sh --bootstrap-server HOST:PORT find-hanging and abort do it for one that is gone")
	}
	if err != nil {
		d.report("reading "+prefix+topic, err, "see that the brokers let offsets be listed")
	}
}

// folds reports partitions of events that no stage folds although it folds others. A partition that
// was added later is the usual case: its events hold back the watermark, and so all labels.
func (d *doctor) folds(ctx context.Context, client *stream.Client, store features.Store, what, log string) {
	ranges, err := client.Offsets(ctx, event.TopicEvents)
	if err != nil {
		return // another check reports it
	}
	var missing []string
	folded := false
	for p, r := range ranges {
		at, err := store.Position(ctx, log, p)
		if err != nil {
			return
		}
		folded = folded || at.Next > 0
		if at.Next == 0 && r.End > 0 {
			missing = append(missing, strconv.Itoa(p))
		}
	}
	if !folded {
		return // no partition is folded yet
	}
	if len(missing) > 0 {
		err = fmt.Errorf("partitions %s of %s are not folded: labels and profiles wait for them", strings.Join(missing, ", "), event.TopicEvents)
	}
	d.report(what, err, "start `clickloop ingest`, or look at its log: it takes partitions that were added within seconds")
}

// redis checks that Redis answers and keeps what it is given. kafka is nil when no broker answers;
// then the checks that compare Redis with the topics are left out.
func (d *doctor) redis(ctx context.Context, cfg *config.Config, kafka *stream.Client) {
	if cfg.Redis.Address == "" {
		d.report("Redis", errors.New("no address is given"), "set redis.address, --redis host:port or CLICKLOOP_REDIS; `clickloop up` runs an embedded one")
		return
	}
	what := "Redis at " + cfg.Redis.String()
	if strings.Contains(cfg.Redis.Address, "***@") {
		d.report(what, errors.New("its password is kept nowhere"), "give the whole address by --redis or CLICKLOOP_REDIS")
		return
	}
	client, err := features.DialRedis(cfg.Redis, features.Serving)
	if err == nil {
		defer client.Close()
		err = within(ctx, 5*time.Second, func(ctx context.Context) error { return client.Diagnose(ctx, nil) })
	}
	d.reportRedis(what, err, "start Redis 7.0 or newer there, or give the right address, with its user and password if it has them")
	if err != nil {
		return
	}
	d.capacity(ctx, client)
	const folded = "every partition of events is folded into profiles"
	profiles := features.NewRedis(client, cfg.Kafka.Prefix, "profiles", time.Hour)
	var fault *features.RedisFault
	if _, err := profiles.Position(ctx, "check", 0); errors.As(err, &fault) {
		d.warn(folded, fault) // the user of another stage may not look
		return
	}
	if kafka == nil {
		return
	}
	if id, err := kafka.TopicID(ctx, event.TopicEvents); err == nil {
		d.folds(ctx, kafka, profiles, folded, id)
	}
}

// reportRedis is report for an error of Redis, which may say itself how to mend it.
func (d *doctor) reportRedis(what string, err error, mend string) {
	var fault *features.RedisFault
	if errors.As(err, &fault) {
		err = errors.New(fault.What)
		mend = cmp.Or(fault.Mend, "correct the setting")
	}
	d.report(what, err, mend)
}

// warn prints what a check could not find out, and how to mend that. It fails nothing.
func (d *doctor) warn(what string, fault *features.RedisFault) {
	fmt.Fprintf(d.w, "warn   %s: %s\n       mend it: %s\n", what, fault.What, fault.Mend)
}

// capacity checks that Redis loses no keys. The embedded Redis reports no capacity, since it has no
// limit.
func (d *doctor) capacity(ctx context.Context, client *features.RedisClient) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	capacity, ok, err := features.ReadCapacity(ctx, client)
	if err == nil && !ok {
		return
	}
	const what = "Redis keeps what it is given"
	var fault *features.RedisFault
	if errors.As(err, &fault) {
		d.warn(what, fault)
		return
	}
	if faults := capacity.Faults(0); err == nil && len(faults) > 0 {
		err = errors.New(strings.Join(faults, "; "))
	}
	d.report(what, err, "give Redis more memory than it needs and maxmemory-policy noeviction")
}

// spool checks that a scorer could write the folder of its spool.
func (d *doctor) spool(dir string) {
	if dir != "" {
		d.report("spool "+dir, spool.Check(dir), "give the scorer a folder that its user may write, on a disk with room (scorer.spool)")
	}
}

// certificate checks the files of a port's certificate, and that it does not end soon.
func (d *doctor) certificate(setting string, files tlsfiles.Server) {
	if !files.Enabled() {
		return
	}
	what, mend := "certificate of "+setting, "give a certificate and its own private key, both PEM, by "+setting+".cert_file and "+setting+".key_file"
	cfg, err := files.Config(slog.New(slog.DiscardHandler))
	if err == nil {
		var pair *tls.Certificate
		if pair, err = cfg.GetCertificate(nil); err == nil {
			until := pair.Leaf.NotAfter
			what += " (until " + until.UTC().Format(time.RFC3339) + ")"
			if left := time.Until(until); left < run.ExpirySoon {
				err, mend = fmt.Errorf("it ends in %.1f days", left.Hours()/24), "renew it; a running process shows the new one within a second"
			}
		}
	}
	d.report(what, field.Within(setting, err), mend)
}
