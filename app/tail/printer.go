package tail

import (
	"bufio"
	"encoding/json"
	"sync"

	"github.com/clickloop/clickloop/stream"
)

// printer writes the messages of all partitions, one at a time.
type printer struct {
	mu      sync.Mutex
	w       *bufio.Writer
	options *Options
	topic   string // with the prefix
	format  []piece
	n       int64  // messages printed
	line    []byte // memory
}

// envelope is the object that kcat -J prints for a message. It tells a null key or value from an
// empty one.
type envelope struct {
	Topic     string    `json:"topic"`
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	TsType    string    `json:"tstype"`
	Ts        int64     `json:"ts"`
	Headers   []*string `json:"headers,omitempty"`
	Key       *string   `json:"key"`
	Payload   *string   `json:"payload"`
}

// print writes one message, or what stands for it. Partitions share the count of -c, so the limit
// is checked under the lock.
func (p *printer) print(r *stream.Record, message []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full() {
		return errDone
	}
	p.n++
	switch {
	case p.format != nil:
		p.line = appendFormatted(p.line[:0], p.format, p.topic, r)
		_, err := p.w.Write(p.line)
		return err
	case p.options.Envelope:
		return p.envelope(r)
	case p.options.Color:
		p.line = appendColored(p.line[:0], message)
		message = p.line
	}
	p.w.Write(message)
	return p.w.WriteByte('\n')
}

func (p *printer) envelope(r *stream.Record) error {
	e := envelope{Topic: p.topic, Partition: r.Partition, Offset: r.Offset, TsType: timestampType(r), Ts: timestamp(r), Key: text(r.Key), Payload: text(r.Value)}
	for _, h := range r.Headers {
		e.Headers = append(e.Headers, &h.Key, text(h.Value))
	}
	if !p.options.Color {
		encoder := json.NewEncoder(p.w)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(e)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	p.line = append(appendColored(p.line[:0], line), '\n')
	_, err = p.w.Write(p.line)
	return err
}

// timestamp returns a record's time in milliseconds, -1 where its producer gave none, as kcat does.
func timestamp(r *stream.Record) int64 {
	if r.Time.IsZero() {
		return -1
	}
	return r.Time.UnixMilli()
}

// timestampType says whose clock the time is from.
func timestampType(r *stream.Record) string {
	switch {
	case r.Time.IsZero():
		return "unknown"
	case r.Appended:
		return "logappend"
	}
	return "create"
}

// text returns nil for null.
func text(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

// full tells whether -c messages are printed. The caller holds the lock.
func (p *printer) full() bool { return p.options.Count > 0 && p.n >= p.options.Count }

// flush shows what is printed. Readers call it after each fetch, so that messages appear at once.
func (p *printer) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.w.Flush(); err != nil {
		return err
	}
	if p.full() {
		return errDone
	}
	return nil
}
