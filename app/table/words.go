package table

import (
	"slices"
	"strings"
	"unicode"

	"github.com/clickloop/clickloop/event"
)

const (
	wordsPart    = ".words"
	maxWords     = 32 // of a cell, since the features of every prediction are logged
	maxWordBytes = 40 // a longer word is left out
)

// appendWords appends the field of a text's words, each once and in lower case. A text without
// words gets no such field.
func appendWords(dst event.Fields, c *Column, text string) event.Fields {
	name, ok := c.partNames[wordsPart]
	if !ok {
		return dst
	}
	var words []event.WeightedToken
	for word, rest := nextWord(text); word != "" && len(words) < maxWords; word, rest = nextWord(rest) {
		if len(word) > maxWordBytes {
			continue
		}
		one := event.WeightedToken{Token: strings.ToLower(word), Weight: 1}
		if !slices.Contains(words, one) {
			words = append(words, one)
		}
	}
	if len(words) == 0 {
		return dst
	}
	return append(dst, event.Field{Name: name, Value: event.Value{Kind: event.List, List: words}})
}

// nextWord returns the first run of letters and digits of s, and the text after it.
func nextWord(s string) (word, rest string) {
	start := -1
	for i, r := range s {
		inWord := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
		switch {
		case inWord && start < 0:
			start = i
		case !inWord && start >= 0:
			return s[start:i], s[i:]
		}
	}
	if start < 0 {
		return "", ""
	}
	return s[start:], ""
}

// severalWords reports whether a text has two words or more with a space between them.
func severalWords(s string) bool {
	s = strings.TrimSpace(s)
	at := strings.IndexAny(s, " \n\t")
	if at < 0 {
		return false
	}
	first, _ := nextWord(s[:at])
	second, _ := nextWord(s[at:])
	return first != "" && second != ""
}
