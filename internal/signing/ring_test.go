package signing

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeysFollowTheirFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "keys")
		write := func(text string) {
			if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			time.Sleep(reloadEvery + time.Millisecond)
			synctest.Wait()
		}
		write(secretA)
		var log bytes.Buffer
		r, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		token := tokenOf(r.Keys())

		write(secretB + "\n" + secretA)
		if got := r.Keys().Verify(token, prediction, issued, lifetime); got != Valid {
			t.Errorf("a token of before: %v", got)
		}
		if tokenOf(r.Keys()) == token {
			t.Error("the new first secret does not sign")
		}
		signed := tokenOf(r.Keys())
		for _, broken := range []string{"", "too short", strings.Repeat("x", maxFile+1)} {
			write(broken)
			if tokenOf(r.Keys()) != signed {
				t.Fatalf("the file became %.20q, and so did the keys", broken)
			}
		}
		logged := log.String()
		for _, want := range []string{"has no secret", "9 bytes in line 1", "more than 65536 bytes", path} {
			if !strings.Contains(logged, want) {
				t.Errorf("the log does not say %q:\n%s", want, logged)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * reloadEvery)
		if n := strings.Count(log.String()[len(logged):], "level=ERROR"); n != 1 {
			t.Errorf("a file that is gone for ten seconds is logged %d times", n)
		}
		write(secretB)
		if got := r.Keys().Verify(token, prediction, issued, lifetime); got != UnknownKey {
			t.Errorf("a token of a secret that was taken away: %v", got)
		}
		if strings.Contains(log.String(), secretA) || strings.Contains(log.String(), secretB) {
			t.Errorf("the log tells a secret:\n%s", log.String())
		}
		cancel()
		<-done
	})
}

func TestAFileThatHoldsNoKeysIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "line 1") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a short secret: %v", err)
	}
	if _, err := Open(filepath.Dir(path), nil); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a folder: %v", err)
	}
}

// A pipe, as of a shell's <(pass show key), gives its content once: it is not read again.
func TestAPipeIsReadOnce(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(secretA); err != nil {
		t.Fatal(err)
	}
	w.Close()
	ring, err := Open("/dev/fd/"+strconv.Itoa(int(r.Fd())), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if ring.path != "" {
		t.Error("it is watched")
	}
}
