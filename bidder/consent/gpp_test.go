package consent

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prebid/go-gpp"
	"github.com/prebid/go-gpp/constants"
	"github.com/prebid/go-gpp/sections"
	"github.com/prebid/go-gpp/sections/uspca"
	"github.com/prebid/go-gpp/sections/uspco"
	"github.com/prebid/go-gpp/sections/uspct"
	"github.com/prebid/go-gpp/sections/uspnat"
	"github.com/prebid/go-gpp/sections/usput"
	"github.com/prebid/go-gpp/sections/uspva"
)

// Strings of the specification and of the tests of Prebid Server.
func TestRealPlatformStrings(t *testing.T) {
	f := func(text string, ids string) {
		t.Helper()
		p := readGPP(text, nil)
		if got := fmt.Sprint(p.ids); got != ids || p.bad != "" {
			t.Errorf("%s has the sections %s (%s), want %s", text, got, p.bad, ids)
		}
	}
	f("DBABMA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", "[2]")
	f("DBABM~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", "[2]")
	f("DBACNY~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN", "[2 6]")
	f("DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1NYN", "[2 6]")
	f("DBABjw~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN", "[5 6]")
	f("DBABrGA~DSJgmkoZJSA.YA~BlgWEYCY.QA~BSFgmiU~bSFgmJQ.YA~BWJYJllA~bSFgmSZQ.YA", "[7 8 9 10 11 12]")
	f("DBABLA~BVQqAAAAAgA.QA", "[7]")
	f("DBAA", "[]")
}

func TestPlatformStringsThatCannotBeReadAllowNothing(t *testing.T) {
	f := func(text string) {
		t.Helper()
		check(t, Signals{GPP: text}, Policy{}, "gpp: cannot be read")
	}
	f("DBGBM~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA")
	f("DBABMA")      // no section
	f("DBABMA~A~B")  // two
	f("CBABMA~CPXx") // no header
	f("malformed")
	f("~")
	f("DBAB" + strings.Repeat("A", 200) + "B~1YNN") // a Fibonacci code that does not end
	f("DBAB////~1YNN")
	f("DBABoCUF4A~a~b") // sections 65,534 and 65,535
	check(t, Signals{GPP: strings.Repeat("D", maxString+1)}, Policy{}, "gpp: too long")
}

func TestSectionsThatApply(t *testing.T) {
	const out, in = "1YYN", "1YNN"
	f := func(gpp string, sections []int, want string) {
		t.Helper()
		check(t, Signals{GPP: gpp, GPPSections: sections, Country: "USA"}, Policy{}, want)
	}
	usp, nat := "DBABTA~", "DBABLA~"
	f(usp+out, []int{6}, "gpp: uspv1")
	f(usp+out, nil, "gpp: uspv1") // all, since it is not told which
	f(usp+out, []int{0}, "gpp: uspv1")
	f(usp+out, []int{-1}, "yes")
	f(usp+in, []int{6}, "yes")
	f(usp+in, []int{6, 7}, "gpp: usnat applies and is missing")
	f(usp+in, []int{99}, "gpp: not known applies and is missing")
	f("", []int{7}, "gpp: usnat applies and is missing")
	f("", []int{-1}, "yes")
	f(usp+out, []int{8}, "gpp: usca applies and is missing")
	f(nat+"BVQqAAAAAgA.QA", []int{7}, "yes") // notices given, not opted out
	f(nat+"BVQqAAAAAgA.YA", []int{7}, "gpp: usnat: Global Privacy Control")
	f(nat+"BVQVAAAAAgA", []int{7}, "gpp: usnat: opted out of sale")
	f(nat+"BVQ", []int{7}, "gpp: usnat: cannot be read")
	f(nat+"BVQqAAAAAgA.!", []int{7}, "gpp: usnat: cannot be read")
	f(nat+"HVQqAAAAAgA", []int{7}, "gpp: version that is not known")
	f("DBABDA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", []int{5}, "gpp: not known")
}

// american are the fields of a section that count, in the names of all laws.
type american struct {
	sale, sharing, targeted byte
	child                   []byte
	gpc                     bool
}

func (a american) allows(sharing, targeted bool) bool {
	in := func(b byte) bool { return b == 0 || b == 2 }
	for _, c := range a.child {
		if c != 0 {
			return false
		}
	}
	return in(a.sale) && (!sharing || in(a.sharing)) && (!targeted || in(a.targeted)) && !a.gpc
}

func draw(r *rand.Rand, children int) american {
	value := func() byte { return []byte{0, 2, 2, 2, 2, 1, 3}[r.IntN(7)] }
	a := american{sale: value(), sharing: value(), targeted: value(), child: make([]byte, children), gpc: r.IntN(8) == 0}
	if r.IntN(6) == 0 {
		a.child[r.IntN(children)] = byte(1 + r.IntN(3))
	}
	return a
}

// What go-gpp writes is read to the same decision, for the six laws that it knows.
func TestSectionsAreReadAsTheLibraryWritesThem(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(4))
		}
		return b
	}
	control := func(on bool) sections.CommonUSGPCSegment {
		return sections.CommonUSGPCSegment{SubsectionType: 1, Gpc: on}
	}
	common := func(a american, sensitive int) sections.CommonUSCoreSegment {
		return sections.CommonUSCoreSegment{Version: 1, SharingNotice: 1, SaleOptOutNotice: 2, SaleOptOut: a.sale, TargetedAdvertisingOptOut: a.targeted,
			SensitiveDataProcessing: noise(sensitive), KnownChildSensitiveDataConsents: a.child, MspaCoveredTransaction: 2}
	}
	kinds := []struct {
		id                  int
		children            int
		sharing, targ, gpcs bool
		section             func(american) gpp.Section
	}{
		{7, 2, true, true, true, func(a american) gpp.Section {
			return uspnat.USPNAT{SectionID: constants.SectionUSPNAT, GPCSegment: control(a.gpc), CoreSegment: uspnat.USPNATCoreSegment{
				Version: 1, SharingNotice: 1, SaleOptOut: a.sale, SharingOptOut: a.sharing, TargetedAdvertisingOptOut: a.targeted,
				SensitiveDataProcessing: noise(12), KnownChildSensitiveDataConsents: a.child, PersonalDataConsents: 1}}
		}},
		{8, 2, true, false, true, func(a american) gpp.Section {
			return uspca.USPCA{SectionID: constants.SectionUSPCA, GPCSegment: control(a.gpc), CoreSegment: uspca.USPCACoreSegment{
				Version: 1, SaleOptOutNotice: 1, SaleOptOut: a.sale, SharingOptOut: a.sharing,
				SensitiveDataProcessing: noise(9), KnownChildSensitiveDataConsents: a.child, PersonalDataConsents: 1}}
		}},
		{9, 1, false, true, false, func(a american) gpp.Section {
			return uspva.USPVA{SectionID: constants.SectionUSPVA, CoreSegment: common(a, 8)}
		}},
		{10, 1, false, true, true, func(a american) gpp.Section {
			return uspco.USPCO{SectionID: constants.SectionUSPCO, CoreSegment: common(a, 7), GPCSegment: control(a.gpc)}
		}},
		{11, 1, false, true, false, func(a american) gpp.Section {
			return usput.USPUT{SectionID: constants.SectionUSPUT, CoreSegment: usput.USPUTCoreSegment{Version: 1, SharingNotice: 1,
				SaleOptOut: a.sale, TargetedAdvertisingOptOut: a.targeted, SensitiveDataProcessing: noise(8), KnownChildSensitiveDataConsents: a.child[0]}}
		}},
		{12, 3, false, true, true, func(a american) gpp.Section {
			return uspct.USPCT{SectionID: constants.SectionUSPCT, CoreSegment: common(a, 8), GPCSegment: control(a.gpc)}
		}},
	}
	allowed := 0
	for range 3000 {
		k := kinds[r.IntN(len(kinds))]
		a := draw(r, k.children)
		text, err := gpp.Encode([]gpp.Section{k.section(a)})
		if err != nil {
			t.Fatal(err)
		}
		a.gpc = a.gpc && k.gpcs
		want := a.allows(k.sharing, k.targ)
		if got := Decide(Signals{GPP: text, GPPSections: []int{k.id}}, Policy{}); got.User != want {
			t.Fatalf("section %d of %+v (%s) is allowed: %v (%s), want %v", k.id, a, text, got.User, got.Detail, want)
		}
		if want {
			allowed++
		}
	}
	if allowed < 300 || allowed > 2700 {
		t.Errorf("%d of 3000 are allowed", allowed)
	}
}

// Each section that the library does not know: opting out by each field refuses, and nothing else
// does.
func TestSectionsOfEveryLaw(t *testing.T) {
	write := func(l layout, at, value int) string {
		bits := make(bitWriter, 90)
		put := func(at, n, v int) {
			var w bitWriter
			w.write(v, n)
			copy(bits[at:], w)
		}
		put(l.versionAt, 6, l.version)
		put(at, 2, value)
		return bits.bytes()
	}
	every := map[int][]layout{7: {national2}}
	for id, l := range layouts {
		every[id] = append(every[id], l)
	}
	for id, all := range every {
		for _, l := range all {
			if why := optOuts(id, write(l, l.sale, 2)); why != "" {
				t.Errorf("%s refuses what nobody opted out of: %s", l.name, why)
			}
			for _, at := range []int{l.sale, l.sharing, l.targeted} {
				if at > 0 && optOuts(id, write(l, at, 1)) == "" {
					t.Errorf("%s allows what was opted out of at bit %d", l.name, at)
				}
			}
			for i := range l.childSize {
				if why := optOuts(id, write(l, l.child+2*i, 2)); !strings.HasSuffix(why, "a known child") {
					t.Errorf("%s: a known child: %q", l.name, why)
				}
			}
			if text := write(l, l.sale, 0); optOuts(id, text[:(l.child+2*l.childSize)/6-1]) == "" {
				t.Errorf("%s allows a section that was cut", l.name)
			}
		}
	}
}

// FuzzDecide: no text panics or is slow, and what refuses has a reason.
func FuzzDecide(f *testing.F) {
	f.Add(all.encode(), "1YNN", "DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1NYN", 6)
	f.Add("COzSDo9OzSDo9B9AAAENAiCAALAAAAAAAAAACOQAQCOAAAAA.IF5E", "", "DBABrGA~DSJgmkoZJSA.YA~BlgWEYCY.QA~BSFgmiU~bSFgmJQ.YA~BWJYJllA~bSFgmSZQ.YA", 0)
	f.Fuzz(func(t *testing.T, tcf, usp, gpp string, section int) {
		for _, p := range []Policy{{}, {Default: "yes", Vendor: 20}} {
			for _, sections := range [][]int{nil, {section}} {
				got := Decide(Signals{TCF: tcf, USPrivacy: usp, GPP: gpp, GPPSections: sections}, p)
				if got.User != (got.Reason == "") || got.User != (got.Detail == "") {
					t.Fatalf("%+v", got)
				}
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	f := func(name string, s Signals) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Decide(s, Policy{Vendor: 20})
			}
		})
	}
	long := all
	for i := 3; i < 900; i += 2 {
		long.vendors = append(long.vendors, i)
	}
	f("none", Signals{})
	f("tcf", Signals{GDPR: Yes, TCF: long.encode()})
	f("gpp", Signals{GPP: "DBABLA~BVQqAAAAAgA.QA", GPPSections: []int{7}})
}
