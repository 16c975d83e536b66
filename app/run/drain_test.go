package run_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/internal/tlsfiles"
)

// Clients over HTTP/1.1 and HTTP/2 go on sending while a process ends, until a moment after /readyz
// has said so. Every request is answered.
func TestAProcessThatEndsUnderLoadLosesNoRequest(t *testing.T) {
	l := start(t, func(c *config.Config) { c.ShutdownDelay = time.Second })
	var clients sync.WaitGroup
	var answered atomic.Int64
	ending := make(chan struct{})
	for i := range 8 {
		clients.Go(func() {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(i%2 == 0)
			protocols.SetUnencryptedHTTP2(i%2 == 1)
			client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
			defer client.CloseIdleConnections()
			for n, left := 0, 10; left > 0; n++ {
				body := fmt.Sprintf(`{"request":"c%d-%d","candidates":[{"ad":"a"}]}`, i, n)
				resp, err := client.Post("http://"+l.HTTP+"/v1/score", "application/json", strings.NewReader(body))
				if err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 && resp.StatusCode != 503 || resp.ProtoMajor != 1+i%2 {
					t.Errorf("client %d: %s %s, %v", i, resp.Proto, resp.Status, err)
				}
				answered.Add(1)
				select {
				case <-ending:
					left--
				default:
				}
			}
		})
	}
	for answered.Load() < 200 {
		time.Sleep(time.Millisecond)
	}
	closed := make(chan error)
	go func() { closed <- l.Close() }()
	for {
		status, _, text := call(t, http.DefaultClient, http.MethodGet, "http://"+l.HTTP+"/readyz")
		if status == http.StatusServiceUnavailable {
			if !strings.Contains(text, "the process is ending") {
				t.Errorf("%q", text)
			}
			break
		}
	}
	close(ending)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	clients.Wait()
}

// With TLS, clients that offer HTTP/2 get it, unless the setting says otherwise.
func TestHTTP2IsSpokenOverTLS(t *testing.T) {
	for _, on := range []bool{true, false} {
		files, pool := certificate(t, t.TempDir(), "localhost", time.Now().Add(time.Hour))
		l := start(t, func(c *config.Config) {
			c.HTTPS, c.HTTP2 = tlsfiles.Server{CertFile: files[0], KeyFile: files[1]}, on
		})
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}}
		resp, err := client.Post("https://"+l.HTTP+"/v1/score", "application/json", strings.NewReader(`{"candidates":[{"ad":"a"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		client.CloseIdleConnections()
		if want := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[on]; resp.Proto != want || resp.StatusCode != 200 {
			t.Errorf("http2 %v: %s %s, want %s", on, resp.Proto, resp.Status, want)
		}
	}
}
