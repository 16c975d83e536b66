package features

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// replyError is an error that Redis answers. It is one for go-redis, too.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError marks it as an answer of Redis: see redis.Error.
func (e replyError) RedisError() {}

// Bounds of a reply: Redis itself takes no larger value, and no profile comes near them.
const (
	maxReplyValue  = 512 << 20
	maxReplyFields = 64 << 20
)

// replyReader reads replies in RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec.
type replyReader struct {
	in   *bufio.Reader
	text []byte // of a profile
	ends []int  // of its names and values in text
}

var errReply = errors.New("the answer is not that of a Redis")

// profile reads the reply to HGETALL. All names and values share one text in memory.
func (r *replyReader) profile() (Profile, error) {
	n, err := r.head('*')
	if err != nil || n <= 0 {
		return Profile{}, err
	}
	if n%2 != 0 || n > maxReplyFields {
		return Profile{}, errReply
	}
	r.text, r.ends = r.text[:0], r.ends[:0]
	for range n / 2 {
		from := len(r.text)
		if err = r.bulk(); err != nil {
			return Profile{}, err
		}
		name := len(r.text)
		if err = r.bulk(); err != nil {
			return Profile{}, err
		}
		if bytes.HasPrefix(r.text[from:name], []byte(fencePrefix)) { // reservedField
			r.text = r.text[:from]
			continue
		}
		r.ends = append(r.ends, name, len(r.text))
	}
	if len(r.ends) == 0 {
		return Profile{}, nil
	}
	return newProfile(r.fields()), nil
}

// fields cuts the text into names and values.
func (r *replyReader) fields() map[string]string {
	text, from := string(r.text), 0
	fields := make(map[string]string, len(r.ends)/2)
	for i := 0; i < len(r.ends); i += 2 {
		name, value := r.ends[i], r.ends[i+1]
		fields[text[from:name]] = text[name:value]
		from = value
	}
	return fields
}

// bulk appends the next string to the text.
func (r *replyReader) bulk() error {
	n, err := r.head('$')
	if err != nil {
		return err
	}
	if n < 0 || n > maxReplyValue {
		return errReply
	}
	for left := n; left > 0; { // memory grows with what has come, not with what is announced
		part, err := r.in.Peek(min(left, r.in.Size()))
		if err != nil {
			return err
		}
		r.text = append(r.text, part...)
		left -= len(part)
		_, _ = r.in.Discard(len(part)) // it is buffered
	}
	end, err := r.in.Peek(2)
	if err != nil {
		return err
	}
	if string(end) != "\r\n" {
		return errReply
	}
	_, _ = r.in.Discard(2)
	return nil
}

// head reads a line that begins with kind and returns its number. An error that Redis answers is a
// replyError.
func (r *replyReader) head(kind byte) (int, error) {
	line, err := r.line()
	if err != nil {
		return 0, err
	}
	switch {
	case line[0] == '-':
		return 0, replyError(line[1:])
	case line[0] != kind:
		return 0, errReply
	}
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil {
		return 0, errReply
	}
	return n, nil
}

// line reads a line without its end. It is valid until the next read.
func (r *replyReader) line() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, errReply
	case err != nil && len(line) > 0 && errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	case len(line) < 3 || line[len(line)-2] != '\r':
		return nil, errReply
	}
	return line[:len(line)-2], nil
}

// ok reads the reply to a command that Redis answers by a short line.
func (r *replyReader) ok() error {
	line, err := r.line()
	switch {
	case err != nil:
		return err
	case line[0] == '-':
		return replyError(line[1:])
	case line[0] != '+':
		return fmt.Errorf("%w: %q", errReply, line)
	}
	return nil
}
