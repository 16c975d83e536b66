package table

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const (
	fewSpellings = 50 // most distinct numbers of a column that is taken for codes by their spelling
	fewTexts     = 10 // fewest distinct texts of a column whose words are read
)

// judge decides the column's reading from its cells in the sample. typed means that the values have
// types of their own, as in JSON.
func (x *Column) judge(cells []string, typed bool) {
	f := gatherFacts(cells)
	x.numbers = f.numbers > 0 && !typed
	switch {
	case f.filled == 0:
	case x.judgeDates(cells):
	case f.several*2 > f.filled && len(f.distinct) >= fewTexts && len(f.distinct)*20 >= f.filled:
		x.Reading = Texts
		x.Why = fmt.Sprintf("texts of several words: their words are read beside them (--token %s leaves those out)", x.Name)
	case typed:
	case f.code != "":
		x.readTokens("codes such as %.40q, which numbers would not keep as they are written: read as tokens", f.code)
	case f.twice[0] != "" && len(f.spellings) <= fewSpellings:
		x.readTokens("%.40q and %.40q, which would be one number: read as tokens", f.twice[0], f.twice[1])
	case f.versions():
		x.readTokens("versions such as %.40q, which numbers would not keep as they are written: read as tokens", f.padded)
	case f.numbers > 0 && f.texts > f.numbers:
		x.readTokens("texts such as %.40q for the most part: numbers among them are read as tokens too", f.text)
	}
}

// readTokens makes a column that looked like numbers one of tokens.
func (x *Column) readTokens(why string, cells ...any) {
	x.Reading, x.numbers = Tokens, false
	x.Why = fmt.Sprintf(why, cells...) + fmt.Sprintf(" (--number %s reads numbers)", x.Name)
}

// facts is what the cells of a column have in common.
type facts struct {
	filled    int // cells that are not empty
	numbers   int
	texts     int // neither empty, nor a number, nor a word that stands for no value
	several   int // texts of several words
	text      string
	code      string             // the first cell that looks like a code
	spellings map[float64]string // each number as it was first written
	twice     [2]string          // two spellings of one number
	// A number with a zero at its end. Programs write such zeros only if all numbers have as many
	// decimals.
	padded   string
	decimals map[int]bool    // numbers of decimals that occur
	distinct map[string]bool // texts
}

func gatherFacts(cells []string) *facts {
	f := &facts{spellings: map[float64]string{}, decimals: map[int]bool{}, distinct: map[string]bool{}}
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
			f.code = cmp.Or(f.code, cell)
		case ok:
			f.number(cell, n)
		case !noValue(cell):
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
	if was, ok := f.spellings[n]; !ok {
		f.spellings[n] = cell
	} else if was != cell && f.twice[0] == "" {
		f.twice = [2]string{was, cell}
	}
	_, decimals, _ := strings.Cut(cell, ".")
	f.decimals[len(decimals)] = true
	if f.padded == "" && len(decimals) > 1 && strings.HasSuffix(decimals, "0") {
		f.padded = cell
	}
}

// versions reports whether the numbers look like versions: 1.9 and 1.10, with few decimals, and not
// always as many.
func (f *facts) versions() bool {
	few := f.padded != "" && len(f.decimals) >= 2 && len(f.spellings) <= fewSpellings
	return few && slices.Max(slices.Collect(maps.Keys(f.decimals))) <= 3
}

// noValue reports whether a text stands for a missing value.
func noValue(s string) bool {
	switch strings.ToLower(s) {
	case "na", "n/a", "nan", "null", "none", "nil", "-", "?", "unknown", "missing", "undefined", "\\n", "#n/a":
		return true
	}
	return false
}

// judgeDates finds the form in which the cells are dates. It returns false if they are no dates.
func (x *Column) judgeDates(cells []string) bool {
	given := x.Given && x.Reading == Dates
	filled := 0
	fits := make(map[string]int, len(dateForms))
	for _, cell := range cells {
		if cell = strings.Trim(cell, " \t"); cell == "" || noValue(cell) {
			continue
		}
		filled++
		for i := range dateForms {
			if _, _, ok := dateForms[i].parse(cell); ok {
				fits[dateForms[i].name]++
			}
		}
	}
	var found *dateForm
	most := 0
	for i := range dateForms {
		if f := &dateForms[i]; fits[f.name] > most && (given || !f.whole() || namedTime(x.Name) || f.name == "yyyymmdd" && filled >= 20) {
			found, most = f, fits[f.name]
		}
	}
	if found == nil || !given && most*50 < filled*49 { // one cell in fifty may be anything
		return false
	}
	if twin := twins[found.name]; twin != "" && fits[twin] == most {
		if !given {
			x.Why = fmt.Sprintf("dates whose day and month cannot be told apart: read as tokens (--date %s reads the month before the day)", x.Name)
			return true
		}
		found = formOf("m/d/y")
	}
	x.Reading, x.Form, x.form = Dates, found.name, found
	x.Why = fmt.Sprintf("dates like %s: weekday, month, day and days since 1970 are read beside them, and the hour where they have a time (--token %s leaves those out)", found.like, x.Name)
	return true
}

// timeName matches the names of columns that hold times. Whole numbers are times only in those.
var timeName = regexp.MustCompile(`time|date|stamp|epoch|[._](at|ts)$|_on$|^(ts|at)$|(created|updated)at$`)

func namedTime(name string) bool { return timeName.MatchString(strings.ToLower(name)) }
