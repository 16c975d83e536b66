package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// secret returns a certificate for a test, valid at any time.
func secret(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// closed are the counts of connections that a server closed, by reason, and how many are open.
func closed(t *testing.T, reg *prometheus.Registry) (counts map[string]float64, open float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts = map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "clickloop_http_connections":
				open += m.GetGauge().GetValue()
			case "clickloop_http_closed_total":
				if n := m.GetCounter().GetValue(); n > 0 {
					counts[m.GetLabel()[1].GetValue()] += n
				}
			}
		}
	}
	return counts, open
}

// Limits hold under TLS as without: for the handshake, bodies, answers and idle connections.
func TestLimitsHoldUnderTLS(t *testing.T) {
	cert := secret(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			length(w, r)
			return
		}
		WriteJSON(w, http.StatusOK, make([]byte, 4<<20))
	})
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		s := newConns(Public, NewMetrics(reg))
		s.most, s.mostByAddress, s.waiting.most = 3, 3, 5<<20
		ended := make(chan error, 1)
		go func() {
			ended <- s.serve(ctx, p, Server{Handler: handler, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Logger: slog.New(slog.DiscardHandler)})
		}()
		secure := func() *tls.Conn {
			c := tls.Client(p.dial("10.0.0.1", ""), &tls.Config{InsecureSkipVerify: true})
			if err := c.Handshake(); err != nil {
				t.Error(err)
			}
			return c
		}
		// a handshake that does not come
		began := time.Now()
		_, _ = io.ReadAll(p.dial("10.0.0.1", ""))
		if d := time.Since(began); d != headerTime {
			t.Errorf("a handshake has %v", d)
		}
		// a body that does not come whole
		slow := secure()
		began = time.Now()
		if status := ask(slow, post(1000, "{")); status != 400 || time.Since(began) != bodyTime {
			t.Errorf("a body has %v, then %d", time.Since(began), status)
		}
		_, _ = io.Copy(io.Discard, slow) // the end of TLS, which a pipe keeps nowhere
		// bytes of an answer count whole, though TLS writes them in pieces
		reader := secure()
		go func() { _, _ = io.WriteString(reader, request(http.MethodGet)) }()
		_, _ = io.ReadFull(reader, make([]byte, 64<<10))
		synctest.Wait()
		if bytes, _ := state(s); bytes != 4<<20 {
			t.Errorf("%d bytes wait for a client that reads a part", bytes)
		}
		time.Sleep(answerTime + answerByte*(5<<20))
		synctest.Wait()
		if bytes, open := state(s); bytes != 0 || open != 0 {
			t.Errorf("%d bytes wait and %d connections are open after the deadline", bytes, open)
		}
		// idle ones make room
		first, second, third := secure(), secure(), secure()
		fourth := secure()
		if ask(fourth, post(2, "{}")) != 200 || ask(second, post(2, "{}")) != 200 || ask(first, post(2, "{}")) != 0 {
			t.Error("the longest idle connection should make room")
		}
		counts, open := closed(t, reg)
		if want := "map[answer:1 body:1 no_request:1 replaced:1]"; fmt.Sprint(counts) != want || open != 3 {
			t.Errorf("counted are %v and %v open, want %s", counts, open, want)
		}
		for _, c := range []net.Conn{slow, reader, first, second, third, fourth} {
			_ = c.(*tls.Conn).NetConn().Close()
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if _, open := closed(t, reg); open != 0 || s.open != 0 {
			t.Errorf("%v connections are left", open)
		}
	})
}

// A client that reads little by little gets the time of the whole answer, not that of each piece.
func TestAnAnswerInPiecesHasOneDeadline(t *testing.T) {
	pieces := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		for range 250 {
			if _, err := w.Write(make([]byte, 4000)); err != nil {
				return
			}
		}
	}
	within(t, publicConns, pieces, func(p *pipes, s *conns) {
		c := p.dial("10.0.0.1", request(http.MethodGet))
		defer c.Close()
		began := time.Now()
		for err := error(nil); err == nil; _, err = io.ReadFull(c, make([]byte, 4096)) {
			time.Sleep(answerTime / 4)
		}
		if d := time.Since(began); d < answerTime || d > answerTime+answerTime/2 {
			t.Errorf("a client that reads little by little is left alone for %v", d)
		}
	})
	// the work between two pieces does not count
	slowly := func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			time.Sleep(answerTime)
			_, _ = w.Write(make([]byte, 10_000))
		}
	}
	within(t, publicConns, slowly, func(p *pipes, s *conns) {
		c := p.dial("10.0.0.1", "")
		if status := ask(c, request(http.MethodGet)); status != 200 {
			t.Errorf("status %d", status)
		}
		c.Close()
	})
}

// Public clients that fill their port leave administrators theirs.
func TestTheAdminPortIsReachableWhileThePublicOneIsFull(t *testing.T) {
	within(t, func() *conns { return newConns(Admin, nil) }, length, func(p *pipes, admin *conns) {
		full := newConns(Public, nil)
		for i := range full.most + 10 {
			_, far := net.Pipe()
			full.admit(fromAddress{far, fmt.Sprintf("10.%d.%d.1", i/200, i%200)})
		}
		if full.open != full.most {
			t.Fatalf("%d connections are open, want %d", full.open, full.most)
		}
		c := p.dial("127.0.0.1", "")
		if status := ask(c, post(2, "{}")); status != 200 {
			t.Errorf("status %d", status)
		}
		c.Close()
	})
}

// fromAddress is a connection from an address.
type fromAddress struct {
	net.Conn
	ip string
}

func (f fromAddress) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(f.ip)} }
