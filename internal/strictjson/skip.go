package strictjson

const maxRawDepth = 1000

const tooDeep = "is nested too deep"

// skipValue returns the end of the value at i, or the place and the reason why it is not JSON. It
// needs one bit for each level of nesting and no stack.
func skipValue(s string, i, maxDepth int) (int, string) {
	var inArray [maxRawDepth/64 + 1]uint64
	depth := 0
	for {
		i = skipSpace(s, i)
		if i >= len(s) {
			return i, noValue
		}
		open := false
		switch c := s[i]; c {
		case '{', '[':
			if depth >= min(maxDepth, maxRawDepth) {
				return i, tooDeep
			}
			depth++
			inArray[depth/64] &^= 1 << (depth % 64)
			if c == '[' {
				inArray[depth/64] |= 1 << (depth % 64)
			}
			i++
			open = true
		default:
			end, reason := skipScalar(s, i)
			if reason != "" {
				return end, reason
			}
			i = end
		}
		for { // leave the objects and arrays that end here, then pass the comma and the name
			if depth == 0 {
				return i, ""
			}
			array := inArray[depth/64]>>(depth%64)&1 == 1
			i = skipSpace(s, i)
			if i >= len(s) {
				return i, "an object or array has no end"
			}
			if array && s[i] == ']' || !array && s[i] == '}' {
				i++
				depth--
				open = false
				continue
			}
			if !open {
				if s[i] != ',' {
					return i, "expected ',' or the end of an object or array"
				}
				i++
			}
			if !array {
				end, reason := skipName(s, i)
				if reason != "" {
					return end, reason
				}
				i = end
			}
			break
		}
	}
}

// skipName passes the name of a member and the colon after it.
func skipName(s string, i int) (int, string) {
	i = skipSpace(s, i)
	if i >= len(s) || s[i] != '"' {
		return i, "expected a name in quotes"
	}
	end := skipString(s, i)
	if end == 0 {
		return i, badString
	}
	i = skipSpace(s, end)
	if i >= len(s) || s[i] != ':' {
		return i, "expected ':' after a name"
	}
	return i + 1, ""
}

const badString = "a string has no end, a control character or an unknown escape"

func skipScalar(s string, i int) (int, string) {
	switch c := s[i]; {
	case c == '"':
		if end := skipString(s, i); end > 0 {
			return end, ""
		}
		return i, badString
	case c == '-' || c-'0' <= 9:
		if end := scanNumber(s, i); end > 0 {
			return end, ""
		}
		return i, noNumber
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(s)-i >= len(word) && s[i:i+len(word)] == word {
			return i + len(word), ""
		}
	}
	return i, noValue
}

// skipString returns the end of the string at i. It returns 0 when the string has no end, or has a
// control character or an unknown escape.
func skipString(s string, i int) int {
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i++; i >= len(s) || s[i] != 'u' && unescaped[s[i]] == 0 {
				return 0
			}
			if s[i] == 'u' {
				if _, ok := hex4(s[i-1:]); !ok {
					return 0
				}
				i += 4
			}
		case c < ' ':
			return 0
		}
	}
	return 0
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}
