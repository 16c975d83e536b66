package main

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

func TestAgainIsWhereARowOfGoodOnesBegins(t *testing.T) {
	f := func(answers string, want int) {
		t.Helper()
		var all []answer
		began := time.Unix(0, 0)
		for i, c := range answers {
			one := answer{due: began.Add(time.Duration(i) * time.Second), features: "missing"}
			if c == '+' {
				one.features = "full"
			}
			all = append(all, one)
		}
		const since = 2
		took, err := again(all, answer.at, began.Add(since*time.Second), func(a answer) bool { return a.features == "full" })
		if (err != nil) != (want < 0) || err == nil && took != time.Duration(want-since)*time.Second {
			t.Errorf("%s: %v, %v", answers, took, err)
		}
	}
	row := "++++++++++++++++++++++++++++++"
	f("++"+row, 2)
	f("++---"+row, 5)
	f("++-+++++++++++++++-++++++++++++++", 3) // a late one does not count
	f("++-+--+--"+row, 6)                     // neither do three
	f("++-"+row[1:], -1)
	f("", -1)
}

// What passes through the proxy is held, late or refused, and as it was before once that has ended.
func TestTheProxyPausesDelaysAndRefuses(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	p, err := newProxy(server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	dial := func() (net.Conn, *bufio.Reader) {
		t.Helper()
		c, err := net.Dial("tcp", p.address())
		if err != nil {
			t.Fatal(err)
		}
		return c, bufio.NewReader(c)
	}
	c, lines := dial()
	ask := func() (time.Duration, error) {
		began := time.Now()
		if _, err := io.WriteString(c, "line\n"); err != nil {
			return 0, err
		}
		_, err := lines.ReadString('\n')
		return time.Since(began), err
	}
	if _, err := ask(); err != nil {
		t.Fatal(err)
	}
	p.slow()
	if took, err := ask(); err != nil || took < 100*time.Millisecond {
		t.Errorf("slow: %v, %v", took, err)
	}
	p.pause()
	held := time.AfterFunc(200*time.Millisecond, func() { _ = p.restore() })
	defer held.Stop()
	if took, err := ask(); err != nil || took < 200*time.Millisecond {
		t.Errorf("paused: %v, %v", took, err)
	}
	p.refuse()
	if _, err := ask(); err == nil {
		t.Error("a connection outlives the refusal")
	}
	_ = c.Close()
	if c, err := net.Dial("tcp", p.address()); err == nil {
		_ = c.Close()
		t.Error("a connection is accepted")
	}
	if err := p.restore(); err != nil {
		t.Fatal(err)
	}
	c, lines = dial()
	defer c.Close()
	if _, err := ask(); err != nil {
		t.Error(err)
	}
}
