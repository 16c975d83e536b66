package table

import (
	"strings"
	"unicode"

	"github.com/clickloop/clickloop/event"
)

const (
	wordsPart    = ".words"
	maxWords     = 32 // of a cell: what is logged with a prediction has a bound
	maxWordBytes = 40 // a longer one is left out
)

// appendWords appends the field of a text's words, each once, in small letters. A text without any
// has no such field.
func appendWords(dst event.Fields, c *Column, text string) event.Fields {
	name, ok := c.parts[wordsPart]
	if !ok {
		return dst
	}
	var words []event.WeightedToken
	for rest := text; len(words) < maxWords; {
		word, after := nextWord(rest)
		if word == "" {
			break
		}
		rest = after
		if len(word) > maxWordBytes {
			continue
		}
		if word = strings.ToLower(word); !hasWord(words, word) {
			words = append(words, event.WeightedToken{Token: word, Weight: 1})
		}
	}
	if len(words) == 0 {
		return dst
	}
	return append(dst, event.Field{Name: name, Value: event.Value{Kind: event.List, List: words}})
}

func hasWord(words []event.WeightedToken, word string) bool {
	for i := range words {
		if words[i].Token == word {
			return true
		}
	}
	return false
}

// nextWord returns the first run of letters and digits of s, and what stands behind it.
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

// severalWords says whether a text has at least two words with a space between them.
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
