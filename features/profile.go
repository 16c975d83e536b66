package features

import (
	"slices"
	"strconv"
	"strings"
)

// Profile is what a Store keeps for one entity: integers and last values by field name. A nil map
// is an entity that was never seen.
type Profile struct {
	Fields map[string]string

	// series are the tiles among Fields. Read finds them once, for all candidates of a request.
	series  []series
	unknown bool // the store could not read it; unknown is not zero
}

// series are the tiles of one series, in no order.
type series struct {
	name  string
	tiles []tile
}

// tile is the sum over one stretch of a series; its number is the time divided by the hop.
type tile struct{ number, n int64 }

// newProfile finds the tiles among fields.
func newProfile(fields map[string]string) Profile {
	p := Profile{Fields: fields}
	for field, value := range fields {
		cut := strings.LastIndexByte(field, ':')
		if cut < 0 {
			continue
		}
		number, err := strconv.ParseInt(field[cut+1:], 10, 64)
		n, err2 := strconv.ParseInt(value, 10, 64)
		if err != nil || err2 != nil {
			continue
		}
		i := slices.IndexFunc(p.series, func(s series) bool { return s.name == field[:cut] })
		if i < 0 {
			i = len(p.series)
			p.series = append(p.series, series{name: field[:cut]})
		}
		p.series[i].tiles = append(p.series[i].tiles, tile{number, n})
	}
	return p
}

// Unknown says that the store could not read the profile. Unknown is not zero.
func (p *Profile) Unknown() bool { return p.unknown }

// UnknownProfile is that of an entity that could not be read.
func UnknownProfile() Profile { return Profile{unknown: true} }

// Bytes is about how much memory p takes.
func (p *Profile) Bytes() (n int) {
	for name, value := range p.Fields {
		n += len(name) + len(value) + 48 // of the map
	}
	for i := range p.series {
		n += 40 + 16*len(p.series[i].tiles)
	}
	return n
}
