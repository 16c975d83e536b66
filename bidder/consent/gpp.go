package consent

import (
	"slices"
	"strings"
)

// Sections of GPP by their numbers.
const (
	sectionTCF   = 2
	sectionUSP   = 6
	firstAmerica = 7 // usnat and the states
)

// Bounds of the header of a GPP string.
const (
	maxSections  = 40
	maxSectionID = 255
)

// platform is a GPP string, with the sections that apply.
type platform struct {
	ids     []int // of the sections, as the header has them
	parts   []string
	applies []int
	// every says that the request does not tell which sections apply: then all of them do
	every bool
	bad   string // why the string cannot be read
}

// readGPP reads the header of a GPP string and splits its sections. In the list of those that
// apply, -1 stands for none and 0 for unknown, as the platform's client has them.
//
// The header is read here and not by go-gpp, whose version 0.2.0 takes 1.5 seconds for a header of
// 16 characters (a Fibonacci code without an end) and never returns from DBABoCUF4A (a section
// numbered 65,535).
func readGPP(text string, sections []int) platform {
	p := platform{every: len(sections) == 0 || slices.Contains(sections, 0)}
	for _, id := range sections {
		if id > 0 {
			p.applies = append(p.applies, id)
		}
	}
	if text == "" {
		return p
	}
	if len(text) > maxString {
		p.bad = "the string is too long"
		return p
	}
	header, rest, _ := strings.Cut(text, "~")
	ids, ok := headerSections(header)
	if ok && rest != "" {
		p.parts = strings.Split(rest, "~")
	}
	if !ok || len(ids) != len(p.parts) {
		p.bad, p.parts = "the string cannot be read", nil
		return p
	}
	p.ids = ids
	return p
}

// section returns a section of the string, unless the request says that it does not apply.
func (p *platform) section(id int) (text string, given bool) {
	i := slices.Index(p.ids, id)
	if i < 0 || !p.every && !slices.Contains(p.applies, id) {
		return "", false
	}
	return p.parts[i], true
}

// european says that the section of the TCF is named as one that applies.
func (p *platform) european() bool { return slices.Contains(p.applies, sectionTCF) }

// american is the reason why the sections of the American laws refuse, and empty where they do not.
func (p *platform) american() string {
	if p.bad != "" {
		return p.bad
	}
	for _, id := range p.applies {
		if why := p.refuses(id); why != "" {
			return why
		}
	}
	if p.every {
		for _, id := range p.ids {
			if why := p.refuses(id); why != "" {
				return why
			}
		}
	}
	return ""
}

// refuses is the reason why one section refuses.
func (p *platform) refuses(id int) string {
	if id == sectionTCF {
		return "" // decided with the GDPR
	}
	text, _ := p.section(id)
	if text == "" {
		return name(id) + " applies and is missing"
	}
	if id == sectionUSP {
		if why := usPrivacy(text); why != "" {
			return name(id) + ": " + why
		}
		return ""
	}
	return optOuts(id, text)
}

// headerSections reads the numbers of the sections from a header: 6 bits of type, which are 3, 6
// bits of version, which are 1, and a range of Fibonacci codes.
func headerSections(header string) (ids []int, ok bool) {
	b := bitReader{text: header}
	if b.read(6) != 3 || b.read(6) != 1 {
		return nil, false
	}
	last := 0
	for n := b.read(12); n > 0 && b.ok(); n-- {
		group := b.read(1) == 1
		first := last + b.fibonacci()
		if last = first; group {
			last += b.fibonacci()
		}
		if !b.ok() || last > maxSectionID || len(ids)+last-first >= maxSections {
			return nil, false
		}
		for id := first; id <= last; id++ {
			ids = append(ids, id)
		}
	}
	return ids, b.ok()
}
