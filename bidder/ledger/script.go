package ledger

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/redis/go-redis/v9"
)

//go:embed ledger.lua
var source string

// sourceOf is the script of an epoch, which by has made.
func sourceOf(epoch int64, by string) string {
	return fmt.Sprintf("-- epoch %d by %s\n%s", epoch, by, source)
}

func shaOf(epoch int64, by string) string {
	sum := sha1.Sum([]byte(sourceOf(epoch, by))) // the name by which Redis knows a script
	return hex.EncodeToString(sum[:])
}

var (
	// errLost says that Redis does not have the numbers of the epoch: it was emptied, restored,
	// replaced or started again.
	errLost = errors.New("the ledger is lost: Redis was emptied, restored, replaced or started again")
	// errDeposed says that a later epoch has begun.
	errDeposed = errors.New("another bidder makes the ledger again")
	// errVoid says that a step was written behind the begin of a later epoch.
	errVoid = errors.New("the ledger was made again before the step was on the topic")
)

// opReserve is the one operation of which several calls may go out as one.
const opReserve = "reserve"

// store calls the script.
type store struct {
	client   *redis.Client
	pipeline *pipeline
	cfg      *Config
}

func (s *store) stateKey() string { return s.cfg.Prefix + "ledger:state" }

func (s *store) leaseKey() string { return s.cfg.Prefix + "ledger:making" }

// call runs an operation of an epoch's script, and returns the answer behind its first value. seen
// is the highest seq that this process knows of.
func (s *store) call(ctx context.Context, sha string, epoch, seen int64, now event.Time, op string, args []any) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Call)
	defer cancel()
	answer, err := s.pipeline.do(ctx, s.script(sha, epoch, seen, now, op), args)
	return heard(op, answer, err)
}

func (s *store) script(sha string, epoch, seen int64, now event.Time, op string) script {
	return script{sha, s.stateKey(), op, epoch, seen, now, oldestDay(s.cfg, now)}
}

// heard is what the answer of an operation says behind its first value.
func heard(op string, answer []string, err error) ([]string, error) {
	switch {
	case redis.HasErrorPrefix(err, "NOSCRIPT"):
		return nil, errLost
	case err != nil:
		return nil, fmt.Errorf("cannot %s in Redis: %w", op, err)
	case len(answer) == 0:
		return nil, fmt.Errorf("cannot %s in Redis: the script answers nothing", op)
	}
	switch answer[0] {
	case "ok":
		return answer[1:], nil
	case "lost":
		return nil, errLost
	case "deposed":
		return nil, errDeposed
	}
	return nil, fmt.Errorf("cannot %s in Redis: the script answers %q", op, answer[0])
}

// oldestDay is the first day to which a notice can count.
func oldestDay(cfg *Config, now event.Time) string {
	return now.Add(-cfg.Late - cfg.Longest - 48*time.Hour).Std().Format(time.DateOnly)
}

// standing is what Redis says of the ledger's epoch.
type standing struct {
	epoch, building int64
	by              string
}

func (s *store) standing(ctx context.Context) (standing, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Call)
	defer cancel()
	v, err := s.client.HMGet(ctx, s.stateKey(), "epoch", "building", "by").Result()
	if err != nil {
		return standing{}, fmt.Errorf("cannot read the ledger's epoch from Redis: %w", err)
	}
	number := func(v any) int64 {
		n, _ := strconv.ParseInt(textOf(v), 10, 64) // empty: none
		return n
	}
	return standing{number(v[0]), number(v[1]), textOf(v[2])}, nil
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

// record is a bid as the script keeps it: see the constants in ledger.lua.
type record []string

// The places of a record's values.
const (
	recState = iota
	recPrice
	recAt
	recExpires
	recDay
	recMember
	recCap
	recBid
	recEnd
	recEnded
	recSpent
	recPaid
	recUncovered
	recLate
	recOver
	recWin
	recPending
	recReserved
	recCharged
	recCall
	recCampaign
	recUser
	recValues
)

func parseRecord(text string) (record, error) {
	r := record(strings.Split(text, "\n"))
	if len(r) != recValues {
		return nil, fmt.Errorf("a bid in Redis has %d values, want %d", len(r), recValues)
	}
	return r, nil
}

func (r record) number(i int) int64 {
	n, _ := strconv.ParseInt(r[i], 10, 64) // the script writes whole numbers
	return n
}

func (r record) campaign() string { return unescape(r[recCampaign]) }

func (r record) user() string { return unescape(r[recUser]) }

// end is the step that ended the bid.
func (r record) end(bid string, epoch int64) event.BidStep {
	s := event.BidStep{
		Bid: bid, Campaign: r.campaign(), Day: r[recDay], Epoch: epoch, Seq: r.number(recEnd), Time: event.Time(r.number(recEnded)),
		Reserved: r.number(recReserved), Spent: r.number(recCharged), Late: r[recLate] == "1",
	}
	switch r[recState] {
	case "L":
		s.Step = event.StepLoss
	case "X":
		s.Step = event.StepExpire
	default:
		s.Step, s.Paid, s.Uncovered, s.Overcap = event.StepBill, r.number(recPaid), r.number(recUncovered), r[recOver] == "1"
		s.User, s.CapMs = r.user(), r.number(recCap)
	}
	return s
}

// Texts from outside become lines of a record, so they have no line ends of their own.
var (
	escaper   = strings.NewReplacer("%", "%25", "\n", "%0A")
	unescaper = strings.NewReplacer("%25", "%", "%0A", "\n")
)

func escape(s string) string {
	if strings.ContainsAny(s, "%\n") {
		return escaper.Replace(s)
	}
	return s
}

func unescape(s string) string {
	if strings.Contains(s, "%") {
		return unescaper.Replace(s)
	}
	return s
}
