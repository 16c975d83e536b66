package table

import (
	"fmt"
	"strings"
)

const (
	fewSpellings = 50 // numbers of a column of codes, at most, where only their spelling says so
	fewTexts     = 10 // texts of a column of words, at least
)

// judge says how a column is read whose first rows have these cells. typed says that they know
// themselves whether they are numbers, as in JSON.
func (x *Column) judge(cells []string, typed bool) {
	f := lookAt(cells)
	x.numbers = f.numbers > 0 && !typed
	switch {
	case f.filled == 0:
	case x.judgeDates(cells):
	case f.several*2 > f.filled && len(f.distinct) >= fewTexts && len(f.distinct)*20 >= f.filled:
		x.Reading = Texts
		x.Why = fmt.Sprintf("texts of several words: their words are read beside them (--token %s leaves those out)", x.Name)
	case typed:
	case f.code != "":
		x.Reading, x.numbers = Tokens, false
		x.Why = fmt.Sprintf("codes such as %.40q, which numbers would not keep as they are written: read as tokens (--number %s reads numbers)", f.code, x.Name)
	case f.twice[0] != "" && len(f.spelt) <= fewSpellings:
		x.Reading, x.numbers = Tokens, false
		x.Why = fmt.Sprintf("%.40q and %.40q, which would be one number: read as tokens (--number %s reads numbers)", f.twice[0], f.twice[1], x.Name)
	case f.versions():
		x.Reading, x.numbers = Tokens, false
		x.Why = fmt.Sprintf("versions such as %.40q, which numbers would not keep as they are written: read as tokens (--number %s reads numbers)", f.padded, x.Name)
	case f.numbers > 0 && f.texts > f.numbers:
		x.Reading, x.numbers = Tokens, false
		x.Why = fmt.Sprintf("texts such as %.40q for the most part: numbers among them are read as tokens too (--number %s reads numbers)", f.text, x.Name)
	}
}

// facts are what cells of a column have in common.
type facts struct {
	filled  int // not empty
	numbers int
	texts   int // neither empty, number, nor a word for nothing
	several int // of the texts: several words
	text    string
	code    string             // the first that is like one
	spelt   map[float64]string // numbers, as they were first written
	twice   [2]string          // spellings of one number
	// a number with a zero at its end that no program writes unless it writes as many decimals
	// always
	padded   string
	decimals map[int]bool
	distinct map[string]bool // texts
}

// lookAt gathers facts.
func lookAt(cells []string) *facts {
	f := &facts{spelt: map[float64]string{}, decimals: map[int]bool{}, distinct: map[string]bool{}}
	for _, cell := range cells {
		cell = strings.Trim(cell, " \t")
		if cell == "" {
			continue
		}
		f.filled++
		n, ok := Number(cell)
		switch {
		case ok && codeLike(cell, n):
			f.numbers++
			if f.code == "" {
				f.code = cell
			}
		case ok:
			f.number(cell, n)
		case !nothing(cell):
			f.texts++
			f.text = cell
			f.distinct[cell] = true
			if severalWords(cell) {
				f.several++
			}
		}
	}
	return f
}

func (f *facts) number(cell string, n float64) {
	f.numbers++
	if was, ok := f.spelt[n]; !ok {
		f.spelt[n] = cell
	} else if was != cell && f.twice[0] == "" {
		f.twice = [2]string{was, cell}
	}
	_, decimals, _ := strings.Cut(cell, ".")
	f.decimals[len(decimals)] = true
	if f.padded == "" && len(decimals) > 1 && strings.HasSuffix(decimals, "0") {
		f.padded = cell
	}
}

// versions says whether numbers are rather versions: 1.9 and 1.10, with few decimals, and not
// always as many.
func (f *facts) versions() bool {
	if f.padded == "" || len(f.decimals) < 2 || len(f.spelt) > fewSpellings {
		return false
	}
	for n := range f.decimals {
		if n > 3 {
			return false
		}
	}
	return true
}

// nothing says whether a text stands for no value.
func nothing(s string) bool {
	switch strings.ToLower(s) {
	case "na", "n/a", "nan", "null", "none", "nil", "-", "?", "unknown", "missing", "undefined", "\\n", "#n/a":
		return true
	}
	return false
}

// judgeDates finds the form of the dates that cells are, if they are.
func (x *Column) judgeDates(cells []string) bool {
	given := x.Given && x.Reading == Dates
	var found *dateForm
	most, filled := 0, 0
	fits := map[string]int{}
	for _, cell := range cells {
		if cell = strings.Trim(cell, " \t"); cell == "" || nothing(cell) {
			continue
		}
		filled++
		for i := range dateForms {
			if _, _, ok := dateForms[i].parse(cell); ok {
				fits[dateForms[i].name]++
			}
		}
	}
	for i := range dateForms {
		if f := &dateForms[i]; fits[f.name] > most && (given || !f.whole() || namedTime(x.Name) || f.name == "yyyymmdd" && filled >= 20) {
			found, most = f, fits[f.name]
		}
	}
	if found == nil || !given && most*50 < filled*49 { // a cell in fifty may be otherwise
		return false
	}
	if twin := twins[found.name]; twin != "" && fits[twin] == most && !given {
		x.Why = fmt.Sprintf("dates whose day and month cannot be told apart: read as tokens (--date %s reads the month before the day)", x.Name)
		return true
	} else if twin != "" && fits[twin] == most {
		found = formOf("m/d/y")
	}
	x.Reading, x.Form, x.form = Dates, found.name, found
	parts := "weekday, month, day and days since 1970"
	x.Why = fmt.Sprintf("dates like %s: %s are read beside them, and the hour where they have a time (--token %s leaves those out)", found.like, parts, x.Name)
	return true
}

// namedTime says whether a column's name is one of a time: whole numbers are times only then.
func namedTime(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"time", "date", "stamp", "epoch"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	for _, end := range []string{"_at", "_ts", "_on", ".at", ".ts"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return name == "ts" || name == "at" || strings.HasSuffix(name, "createdat") || strings.HasSuffix(name, "updatedat")
}
