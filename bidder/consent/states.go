package consent

import "strings"

// layout says where a section of an American law has what counts here. Numbers are bits from the
// beginning. All fields have two bits, and 0 stands for: not applicable.
type layout struct {
	name             string
	versionAt        int
	version          int
	sale             int // 1: opted out, 2: not opted out
	sharing          int // 0: the law has none
	targeted         int // 0: the law has none
	child, childSize int // consents for known children: where, and how many fields
}

// common is the layout that most states share: version, three notices, sale, targeted advertising,
// then so many fields about sensitive data, and so many about children.
func common(name string, sensitive, children int) layout {
	return layout{name: name, version: 1, sale: 12, targeted: 14, child: 16 + 2*sensitive, childSize: children}
}

// recent is the layout of the states that joined in 2025: the number of the section comes first.
func recent(name string, children int) layout {
	return layout{name: name, versionAt: 6, version: 1, sale: 28, targeted: 30, child: 32, childSize: children}
}

// layouts are those of the specifications of the IAB's Global Privacy Platform as of December 2025,
// by the number of the section. usnat has a second version.
var layouts = map[int]layout{
	7:  {name: "usnat", version: 1, sale: 18, sharing: 20, targeted: 22, child: 48, childSize: 2},
	8:  {name: "usca", version: 1, sale: 12, sharing: 14, child: 34, childSize: 2},
	9:  common("usva", 8, 1),
	10: common("usco", 7, 1),
	11: {name: "usut", version: 1, sale: 14, targeted: 16, child: 34, childSize: 1},
	12: common("usct", 8, 3),
	13: common("usfl", 8, 3),
	14: common("usmt", 8, 3),
	15: common("usor", 11, 3),
	16: common("ustx", 8, 1),
	17: common("usde", 9, 5),
	18: {name: "usia", version: 1, sale: 14, targeted: 16, child: 34, childSize: 1},
	19: common("usne", 8, 1),
	20: common("usnh", 8, 3),
	21: common("usnj", 10, 5),
	22: common("ustn", 8, 1),
	23: common("usmn", 8, 1),
	24: recent("usmd", 0),
	25: recent("usin", 1),
	26: recent("usky", 1),
	27: recent("usri", 1),
}

var national2 = layout{name: "usnat", version: 2, sale: 18, sharing: 20, targeted: 22, child: 56, childSize: 3}

// name is how reasons call a section.
func name(id int) string {
	if id == sectionUSP {
		return "uspv1"
	}
	if l, ok := layouts[id]; ok {
		return l.name
	}
	return "a section that is not known"
}

// optOuts is the reason why a section of an American law refuses, and empty where it does not. A
// known child refuses whatever was consented to: its data makes no profile.
func optOuts(id int, text string) string {
	core, segments, _ := strings.Cut(text, ".")
	l, ok := layouts[id]
	if !ok {
		return name(id) + " applies"
	}
	if id == firstAmerica && bitsAt(core, 0, 6) == national2.version {
		l = national2
	}
	if bitsAt(core, l.versionAt, 6) != l.version {
		return l.name + " is of a version that is not known"
	}
	if why := l.refuses(core); why != "" {
		return l.name + ": " + why
	}
	if why := globalControl(segments); why != "" {
		return l.name + ": " + why
	}
	return ""
}

func (l *layout) refuses(core string) string {
	for _, f := range [...]struct {
		at  int
		why string
	}{{l.sale, "opted out of sale"}, {l.sharing, "opted out of sharing"}, {l.targeted, "opted out of targeted advertising"}} {
		if f.at == 0 {
			continue
		}
		switch bitsAt(core, f.at, 2) {
		case 1:
			return f.why
		case 0, 2:
		default:
			return "cannot be read"
		}
	}
	for i := range l.childSize {
		switch bitsAt(core, l.child+2*i, 2) {
		case 0:
		case -1:
			return "cannot be read"
		default:
			return "a known child"
		}
	}
	return ""
}

// bitsAt is n bits of a section at a place; -1 when they are not there.
func bitsAt(text string, at, n int) int {
	b := bitReader{text: text, pos: at}
	if v := b.read(n); b.ok() {
		return v
	}
	return -1
}

// globalControl reads the segments behind the core. Of two bits of type, 1 is Global Privacy
// Control, with one bit that says whether it is on.
func globalControl(segments string) string {
	for segments != "" {
		var s string
		s, segments, _ = strings.Cut(segments, ".")
		switch bitsAt(s, 0, 2) {
		case 1:
			if bitsAt(s, 2, 1) != 0 {
				return "Global Privacy Control"
			}
		case -1:
			return "cannot be read"
		}
	}
	return ""
}
