package clickloop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate for 127.0.0.1 and its key into dir, as the document names them,
// and returns whom a client trusts.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"public.pem": {Type: "CERTIFICATE", Bytes: cert}, "public.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return pool
}

// TestTheExposedConfigurationRuns starts a process with the configuration of docs/security.md, asks
// it with and without keys, and looks for keys in all that it says.
func TestTheExposedConfigurationRuns(t *testing.T) {
	p := &page{t: t, dir: t.TempDir()}
	config := ""
	for _, f := range fences(documents(t)["docs/security.md"]) {
		if f.info == "yaml" && strings.Contains(f.text, "access:") {
			config = strings.ReplaceAll(f.text, "/etc/clickloop", p.dir)
		}
	}
	keys := map[string]string{"website": "website-key-0123456789", "bidder": "bidder-key-0123456789", "operator": "operator-key-0123456789"}
	for name, key := range keys {
		if err := os.WriteFile(filepath.Join(p.dir, name+".keys"), []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(p.dir, "expose.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: certificate(t, p.dir)}}
	defer transport.CloseIdleConnections()
	p.start("clickloop up --config expose.yaml --admin 127.0.0.1:0")
	b, err := os.ReadFile(filepath.Join(p.dir, "addresses"))
	if err != nil {
		t.Fatal(err)
	}
	at := addresses(string(b))
	said := ""
	f := func(method, url, key, body string, want int, headers ...string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		said += fmt.Sprint(resp.Header, string(answer))
		if resp.StatusCode != want {
			t.Errorf("%s %s: %d %s, want %d", method, url, resp.StatusCode, answer, want)
		}
		if origin := r.Header.Get("Origin"); origin != "" && (resp.Header.Get("Access-Control-Allow-Origin") == origin) != strings.HasSuffix(origin, "shop.example") {
			t.Errorf("%s from %s: %v", url, origin, resp.Header)
		}
	}
	events, score, metrics := "https://"+at["HTTP"]+"/v1/events", "https://"+at["HTTP"]+"/v1/score", "http://"+at["ADMIN"]+"/metrics"
	const page, request = `{"type":"page"}`, `{"candidates":[{"ad":"a"}]}`
	f("POST", events, "", page, 401)
	f("POST", events, keys["bidder"], page, 403)
	f("POST", events, keys["website"], page, 200)
	f("POST", score, "", request, 401)
	f("POST", score, keys["website"], request, 403)
	f("POST", score, keys["bidder"], request, 200)
	f("GET", metrics, keys["bidder"], "", 403)
	f("GET", metrics, keys["operator"], "", 200)
	f("OPTIONS", events, "", "", 204, "Origin", "https://www.shop.example")
	f("OPTIONS", events, "", "", 204, "Origin", "https://evil.example")
	log, err := os.ReadFile(filepath.Join(p.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.server.Process.Pid))
	for name, key := range keys {
		if strings.Contains(said+string(log)+string(arguments), key) {
			t.Errorf("the key of %s is in an answer, the log or the process list", name)
		}
	}
}
