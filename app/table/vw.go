package table

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// ParseVW parses a line of Vowpal Wabbit's text format: [label [importance]]
// [tag]|namespace[:value] feature[:value] ... A namespace becomes a field whose tokens are its
// features. A namespace that comes twice continues the first. A namespace without a name is the
// field " ".
func ParseVW(row *Row, line string) error {
	bar := strings.IndexByte(line, '|')
	if bar < 0 {
		return fmt.Errorf("%.60q has no |, want LABEL |NAMESPACE FEATURE", line)
	}
	if err := vwHead(row, line[:bar]); err != nil {
		return err
	}
	for rest := line[bar+1:]; ; {
		section, more, found := strings.Cut(rest, "|")
		if err := vwNamespace(row, section); err != nil {
			return err
		}
		if !found {
			return nil
		}
		rest = more
	}
}

// vwHead parses the text before the first bar. A tag touches the bar or begins with an apostrophe.
func vwHead(row *Row, head string) error {
	words := strings.Fields(head)
	if n := len(words); n > 0 && (words[n-1][0] == '\'' || head[len(head)-1] != ' ' && head[len(head)-1] != '\t') {
		if _, err := strconv.ParseFloat(words[n-1], 64); err != nil || words[n-1][0] == '\'' || n > 1 {
			words = words[:n-1] // the tag
		}
	}
	if len(words) == 0 {
		return nil
	}
	y, err := vwNumber(words[0])
	if err != nil {
		return fmt.Errorf("label %q %w", words[0], err)
	}
	row.Label, row.HasY = y, true
	// the third number is VW's base, or initial: a prediction to which VW adds its own
	if len(words) > 2 {
		if base, err := vwNumber(words[2]); err != nil || base != 0 || len(words) > 3 {
			return fmt.Errorf("%.60q stands behind the importance, want LABEL IMPORTANCE 'TAG and no base but 0", strings.Join(words[2:], " "))
		}
	}
	if len(words) > 1 {
		if row.Weight, err = vwNumber(words[1]); err != nil || row.Weight < 0 || row.Weight > event.MaxWeight {
			return fmt.Errorf("importance %q is no number of 0 to %v", words[1], event.MaxWeight)
		}
	}
	return nil
}

var errNumber = errors.New("is no finite number")

func vwNumber(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, errNumber
	}
	return f, nil
}

// vwNamespace parses the text between two bars. Its first word is the name if it touches the bar.
func vwNamespace(row *Row, section string) error {
	name, scale := " ", 1.0
	if section != "" && section[0] != ' ' && section[0] != '\t' {
		word := section
		if end := strings.IndexAny(section, " \t"); end >= 0 {
			word = section[:end]
		}
		section = section[len(word):]
		var value string
		var weighted bool
		if name, value, weighted = strings.Cut(word, ":"); weighted {
			var err error
			if scale, err = vwNumber(value); err != nil {
				return fmt.Errorf("value %q of namespace %q %w", value, name, err)
			}
		}
	}
	var tokens []event.WeightedToken
	for _, word := range strings.Fields(section) {
		token, weight := word, scale
		if colon := strings.LastIndexByte(word, ':'); colon >= 0 {
			x, err := vwNumber(word[colon+1:])
			if err != nil {
				return fmt.Errorf("value %q of feature %q %w", word[colon+1:], word[:colon], err)
			}
			if token, weight = word[:colon], scale*x; math.IsInf(weight, 0) {
				return fmt.Errorf("value %q of feature %q, times its namespace's %v, %w", word[colon+1:], token, scale, errNumber)
			}
		}
		tokens = append(tokens, event.WeightedToken{Token: strings.ToValidUTF8(token, "\ufffd"), Weight: weight})
	}
	if len(tokens) > 0 {
		row.addTokens(strings.ToValidUTF8(name, "\ufffd"), tokens)
	}
	return nil
}

// addTokens adds tokens to a field. A single token without a weight becomes a text.
func (row *Row) addTokens(name string, tokens []event.WeightedToken) {
	i := slices.IndexFunc(row.Fields, func(f event.Field) bool { return f.Name == name })
	if i < 0 {
		v := event.Value{Kind: event.List, List: tokens}
		if len(tokens) == 1 && tokens[0].Weight == 1 {
			v = event.Value{Kind: event.String, Str: tokens[0].Token}
		}
		row.Fields = append(row.Fields, event.Field{Name: name, Value: v})
		return
	}
	v := &row.Fields[i].Value
	if v.Kind == event.String {
		*v = event.Value{Kind: event.List, List: []event.WeightedToken{{Token: v.Str, Weight: 1}}}
	}
	v.List = append(v.List, tokens...)
}
