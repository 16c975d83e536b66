package notice

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/clickloop/clickloop/internal/access"
)

// pixel is a transparent GIF of one pixel.
var pixel = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;")

// isPixel says that the sender is a page that wants an image: it is answered with one whatever
// becomes of the notice, and a broken one would be seen.
func isPixel(k Kind) bool { return k == Impression || k == Progress }

// accept answers a notice that is taken.
func accept(k Kind, w http.ResponseWriter, t *Token) {
	switch {
	case k == Click && t.Target != "":
		redirect(w, t.Target)
	case k == Click || isPixel(k):
		image(w, http.StatusOK)
	default:
		noStore(w)
		w.WriteHeader(http.StatusNoContent)
	}
}

// postpone answers a notice that could not be written. Exchanges and servers repeat it; a person
// who clicked arrives.
func postpone(k Kind, w http.ResponseWriter, t *Token) {
	w.Header().Set("Retry-After", "1")
	switch {
	case k == Click && t.Target != "":
		w.Header().Del("Retry-After")
		redirect(w, t.Target)
	case k == Click || isPixel(k):
		image(w, http.StatusServiceUnavailable)
	default:
		plain(w, http.StatusServiceUnavailable, "the notice could not be written: send it again")
	}
}

// reasons say what is wrong with a token.
var reasons = map[Verdict]string{
	"missing":     "the parameter t, the signed token, is missing",
	"malformed":   "the token has not the form of one",
	"unknown_key": "the token was signed by another deployment, or by a secret that was taken away",
	"mismatch":    "the token was altered",
	OtherKind:     "the token is for another kind of notice",
	Expired:       "the token has expired",
}

// remedies say what an operator can do about tokens that honest senders bring, too.
var remedies = map[Verdict]string{
	"unknown_key": "give all bidders the same secrets, and keep old ones for as long as late notices are taken",
	"mismatch":    "an exchange alters URLs, or somebody forges notices",
}

// refuseToken answers a notice whose token is not good. Where it is only too old, a click leads on:
// the person should arrive, and counts no more.
func (n *Notices) refuseToken(k Kind, w http.ResponseWriter, v Verdict, t *Token) {
	if remedy := remedies[v]; remedy != "" {
		n.refused.warn(n.deps.Now(), "notices are refused: "+remedy, k, errors.New(reasons[v]))
	}
	if v == Expired && k == Click {
		accept(k, w, t)
		return
	}
	refuse(k, w, reasons[v])
}

// refuse answers a notice that is not taken, and would not be when it is sent again.
func refuse(k Kind, w http.ResponseWriter, reason string) {
	if isPixel(k) {
		image(w, http.StatusOK)
		return
	}
	plain(w, http.StatusBadRequest, reason)
}

// refuseRate answers a request that was not let in.
func refuseRate(w http.ResponseWriter, err error) {
	noStore(w)
	if no := (*access.Refused)(nil); errors.As(err, &no) {
		no.Answer(w)
		return
	}
	w.Header().Set("Retry-After", "1")
	plain(w, http.StatusTooManyRequests, err.Error())
}

// redirect leads to a target that was signed. CheckTarget is a second lock: whoever signs may be of
// another version.
func redirect(w http.ResponseWriter, target string) {
	if CheckTarget(target) != nil {
		plain(w, http.StatusBadRequest, "the token leads to no web page")
		return
	}
	noStore(w)
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusFound)
}

func image(w http.ResponseWriter, status int) {
	noStore(w)
	h := w.Header()
	h.Set("Content-Type", "image/gif")
	h.Set("Content-Length", strconv.Itoa(len(pixel)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(pixel) // a client that is gone cannot be told
}

func plain(w http.ResponseWriter, status int, reason string) {
	noStore(w)
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(reason + "\n"))
}

// noStore keeps caches from answering the next notice themselves.
func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store, no-cache, must-revalidate, private, max-age=0")
	w.Header().Set("Pragma", "no-cache")
}
