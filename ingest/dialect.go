package ingest

import (
	"net/http"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/web"
)

// dialect is one form in which senders bring events: where they send them, how a request is decoded
// and how the answer is encoded. All else is the same for every dialect and is done by the
// collector: CORS, rate limit, memory budget, stamping, writing, dead letters,
// counters, and the statuses of requests that are refused.
type dialect struct {
	method string
	paths  []string
	// preflight says that browsers ask by OPTIONS whether they may send
	preflight bool
	// parameters are the allowed query parameters, any other one refuses the request; where
	// parameters is nil, decode decides about the query
	parameters []string
	// keyed says that the body may hold the sender's key
	keyed  bool
	decode func(*request) (delivery, error)
	encode func(http.ResponseWriter, *intake)
}

// dialects are the forms that the collector understands.
var dialects = []*dialect{
	&native,
	&segment,
	&segmentBeacon,
}

// request is what a dialect decodes.
type request struct {
	*http.Request
	cfg   *Config
	body  *body      // see request.json; empty for a GET
	clock event.Time // posted by the driver of a replay, else 0
}

// delivery is a decoded request. Its events are read one by one once their receipt is known, since
// the time of an event may depend on it.
type delivery struct {
	count int
	key   string // of the sender, in the body; empty for none
	event func(i int, in *intake) item
	// refusable says that the sender understands a refusal: a request without any good event is
	// answered 400. Otherwise such events become dead letters and the dialect answers.
	refusable bool
	notes     []web.Warning       // about the request as a whole
	letters   []deadletter.Letter // parts of the request that its events had to do without
}
