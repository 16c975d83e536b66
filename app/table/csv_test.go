package table

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Rows that are cut by a look for separators, and what follows the first that is not, are those of
// encoding/csv: cells, lines and errors.
func TestPlainRowsAreThoseOfTheGeneralReader(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, seed))
	pieces := []string{"a", "12", ";", ";", ";", "\"", "\"b\"", "\"\"", "\n", "\n", "\r\n", "\r", " ", "\"c;d\"", ",", "ü"}
	plain := 0
	for range 20000 {
		var text strings.Builder
		text.WriteString("x;y;z\n")
		for range 1 + r.IntN(40) {
			if r.IntN(8) > 0 {
				text.WriteString("1;\"two\";3\n")
				continue
			}
			text.WriteString(pieces[r.IntN(len(pieces))])
		}
		want, wantErr := general(text.String())
		got, gotErr := fast(text.String(), 16+r.IntN(100))
		if !slices.Equal(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("seed %d: %q gives\n%q %v, want\n%q %v", seed, text.String(), got, gotErr, want, wantErr)
		}
		if wantErr == nil && len(want) > 1 {
			plain++
		}
	}
	if plain < 200 {
		t.Errorf("only %d texts had rows and no error", plain)
	}
}

func general(text string) (rows []string, err error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = ';'
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, (&Source{name: "t"}).rowError(err, 0, cells, 3, ';')
		}
		line, _ := r.FieldPos(0)
		rows = append(rows, fmt.Sprint(line, ":", strings.Join(cells, "|")))
	}
}

// fast reads through a small buffer, so that lines longer than it come too.
func fast(text string, buffer int) (rows []string, err error) {
	s := &Source{name: "t", options: Options{Separator: ";"}, r: bufio.NewReaderSize(strings.NewReader(text), buffer)}
	err = s.Cells(func(names []string) error {
		rows = append(rows, fmt.Sprint(1, ":", strings.Join(names, "|")))
		return nil
	}, func(line int, cells []string) error {
		rows = append(rows, fmt.Sprint(line, ":", strings.Join(cells, "|")))
		return nil
	})
	return rows, err
}
