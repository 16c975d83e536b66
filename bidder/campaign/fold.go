package campaign

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// appendFolded appends s in lower case, as strings.ToLower has it.
func appendFolded(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			for _, r := range s[i:] {
				dst = utf8.AppendRune(dst, unicode.ToLower(r))
			}
			return dst
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// sameFolded says whether s in lower case is folded. It allocates nothing where s is ASCII.
func sameFolded(folded, s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return folded == strings.ToLower(s)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if i >= len(folded) || folded[i] != c {
			return false
		}
	}
	return len(folded) == len(s)
}

// cleanDomain is a domain as it is compared: in lower case, without the dot of the root, and
// without www.
func cleanDomain(s string) string {
	return strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(s), "."), "www.")
}

// within says whether a domain is another one, or one of its subdomains. Both are clean.
func within(domain, parent string) bool {
	rest, ok := strings.CutSuffix(domain, parent)
	return ok && parent != "" && (rest == "" || rest[len(rest)-1] == '.')
}
