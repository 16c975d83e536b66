package tail

// Colors of JSON on a terminal, by the kinds of its parts.
const (
	colorName   = "\x1b[34;1m"
	colorText   = "\x1b[32m"
	colorNumber = "\x1b[36m"
	colorWord   = "\x1b[35m" // true, false and null
	colorEnd    = "\x1b[0m"
)

// appendColored appends a line with the parts of its JSON in colors. Without the colors it is the
// same bytes, whatever they are.
func appendColored(dst, line []byte) []byte {
	for i := 0; i < len(line); {
		from := i
		color := ""
		switch c := line[i]; {
		case c == '"':
			i = textEnd(line, i)
			color = colorText
			if i < len(line) && line[i] == ':' {
				color = colorName
			}
		case c == '-' || c >= '0' && c <= '9':
			for i++; i < len(line) && isNumber(line[i]); i++ {
			}
			color = colorNumber
		case c >= 'a' && c <= 'z':
			for i++; i < len(line) && line[i] >= 'a' && line[i] <= 'z'; i++ {
			}
			color = colorWord
		default:
			dst = append(dst, c)
			i++
			continue
		}
		dst = append(append(append(dst, color...), line[from:i]...), colorEnd...)
	}
	return dst
}

func isNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
}

// textEnd returns the place behind the text that begins at i.
func textEnd(line []byte, i int) int {
	for i++; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(line)
}
