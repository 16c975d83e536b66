package settings

import "strings"

// Nearest is the one of names that was probably meant by name, empty when none is near: it differs in case, - and _ alone, or in a letter of three.
func Nearest(name string, names []string) string {
	bare := func(s string) string { return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s)) }
	best, least := "", len(name)/3+1
	for _, n := range names {
		d := distance(bare(name), bare(n))
		if d < least || d == 0 {
			best, least = n, d
		}
	}
	return best
}

// distance is how many letters must be put in, left out, replaced, or changed with their neighbour to turn a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range len(b) {
		rows[0][j+1] = j + 1
	}
	for i := range len(a) {
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(rows[i][j+1]+1, rows[i+1][j]+1, rows[i][j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, rows[i-1][j-1]+1)
			}
			rows[i+1][j+1] = d
		}
	}
	return rows[len(a)][len(b)]
}
