package dashboard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/internal/browser"
)

const live = `document.querySelector("#status").innerText.includes("Live")`

// A page whose server stops, answers errors, or comes back says so, and goes on by itself.
func TestThePageFindsItsServerAgain(t *testing.T) {
	b, f := browser.Start(t), newFake(t)
	p := b.Page(t, browser.View{})
	p.Go(f.URL + "/")
	p.Wait(live)
	f.set(func() { f.status = 502 })
	p.Wait(`document.querySelector("#status").innerText.includes("Connection lost")`)
	p.Wait(`/The server answers 502|ended the stream/.test(document.querySelector("#notices").innerText) && /tries again|Trying again/.test(document.querySelector("#notices").innerText)`)
	p.Wait(`document.querySelector("#spoken").textContent.includes("Connection lost")`)
	if text := p.Text("#main"); !strings.Contains(text, "conversion") {
		t.Errorf("the last figures are gone:\n%.300s", text)
	}
	f.set(func() { f.status = 200 })
	p.Wait(live + ` && document.querySelector("#spoken").textContent === "Connected again."`)
	f.CloseClientConnections() // as a process that is killed
	p.Wait(live)
}

// Figures of a while ago do not call a reader ok: a server that cannot read the topics sends those
// of before.
func TestOldFiguresSayNothingOfReaders(t *testing.T) {
	b, f := browser.Start(t), newFake(t)
	p := b.Page(t, browser.View{})
	p.Go(f.URL + "/#loop")
	p.Wait(live + ` && document.querySelector("#main").innerText.includes("● ok")`)
	f.set(func() { f.state = strings.Replace(f.state, `{"now":`, `{"read":"2026-01-02T03:04:05.000Z","now":`, 1) })
	p.Wait(`document.querySelector(".lead").innerText.includes("? not known")`)
	if text := p.Text("#main"); strings.Contains(text, "● ok") || !strings.Contains(p.Text("#status"), "figures of 2026-01-02") {
		t.Errorf("the page says %s and shows\n%.800s", p.Text("#status"), text)
	}
}

// Where the calls want a key the page asks for it, says when it is wrong, and keeps it for the
// window's next page alone.
func TestThePageAsksForTheKey(t *testing.T) {
	b, f := browser.Start(t), newFake(t)
	f.set(func() { f.key = "secret" })
	p := b.Page(t, browser.View{})
	p.Go(f.URL + "/#health")
	give := func(key string) {
		p.Wait(`document.querySelector("#key")`)
		p.Eval(fmt.Sprintf(`document.querySelector("#key").value = %q; document.querySelector("#notices form").requestSubmit()`, key), nil)
	}
	give("wrong")
	p.Wait(`document.querySelector("#notices").innerText.includes("does not take this key: the key is unknown")`)
	give("secret")
	p.Wait(live + ` && !document.querySelector("#key") && document.querySelector("#main").innerText.includes("time is not RFC 3339")`)
	var kept []string
	p.Eval(`[localStorage.length, sessionStorage.length].map(String)`, &kept)
	if fmt.Sprint(kept) != "[0 1]" {
		t.Errorf("local and session storage have %v entries, want the key in the session's", kept)
	}
	p.Go(f.URL + "/#loop")
	p.Wait(live)
}

// next is the state with other predictions and other figures.
func next(state string) string {
	return strings.NewReplacer(`"id":"r`, `"id":"next-r`, `"count":2`, `"count":2002`).Replace(state)
}

const firstRow = `document.querySelector("#main tbody th").innerText`

// Rows come by themselves, but not while a reader has the pointer or the focus among them, and
// never where the system asks for little motion.
func TestRowsStayUnderAReader(t *testing.T) {
	b, f := browser.Start(t), newFake(t)
	before := f.state
	f.set(func() { f.state = next(before) })
	p := b.Page(t, browser.View{})
	p.Go(f.URL + "/#predictions")
	p.Wait(firstRow + `.startsWith("next-")`)
	f.set(func() { f.state = before })
	p.Wait(`!` + firstRow + `.startsWith("next-")`) // live

	p.Move("#main tbody td")
	p.Wait(`document.querySelector(".holding").innerText.includes("Held while you read")`)
	f.set(func() { f.state = next(before) })
	p.Wait(`/Show the newest|newer one/.test(document.querySelector(".holding button").innerText)`)
	var first string
	if p.Eval(firstRow, &first); strings.HasPrefix(first, "next-") {
		t.Error("the rows changed under the pointer")
	}
	p.Eval(`document.querySelector(".holding button").click()`, nil)
	p.Wait(firstRow + `.startsWith("next-")`)

	calm := b.Page(t, browser.View{ReducedMotion: true})
	calm.Go(f.URL + "/#predictions")
	calm.Wait(firstRow + `.startsWith("next-")`)
	f.set(func() { f.state = before })
	calm.Wait(`/Show the newest|newer one/.test(document.querySelector(".holding button").innerText)`)
}

// While a page is paused nothing on it changes, and a selection survives a state that does not
// touch its text.
func TestThePagePausesAndKeepsSelections(t *testing.T) {
	b, f := browser.Start(t), newFake(t)
	p := b.Page(t, browser.View{})
	p.Go(f.URL + "/#health")
	count := `[...document.querySelectorAll("td.number")].some((e) => e.innerText === "2,002")`
	p.Wait(live + ` && document.querySelector("#main tbody")`)
	p.Eval(`getSelection().selectAllChildren([...document.querySelectorAll("tbody th")].find((e) => e.innerText === "time is not RFC 3339"))`, nil)
	f.set(func() { f.state = next(f.state) })
	p.Wait(count)
	var selected string
	if p.Eval(`getSelection().toString()`, &selected); selected != "time is not RFC 3339" {
		t.Errorf("%q is selected after a state", selected)
	}
	p.Eval(`document.querySelector("#tools button").click()`, nil)
	p.Wait(`document.querySelector("#status").innerText.includes("Paused")`)
	f.set(func() { f.state = strings.ReplaceAll(f.state, `"count":2002`, `"count":3003`) })
	p.Eval(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`, nil)
	var still bool
	if p.Eval(count, &still); !still {
		t.Error("the paused page changed")
	}
	p.Eval(`document.querySelector("#tools button").click()`, nil)
	p.Wait(`!(` + count + `)`)
}

// A chart is read and zoomed by keys, and has its figures as a table; all controls are reached by
// the Tab key, the link to the figures first.
func TestThePageIsUsedByKeys(t *testing.T) {
	b, f := browser.Start(t), newFake(t)
	p := b.Page(t, browser.View{Zone: "Europe/Berlin"})
	p.Go(f.URL + "/#quality")
	p.Wait(`document.querySelectorAll(".plot canvas").length === 4`)
	p.Key("Tab")
	var active string
	if p.Eval(`document.activeElement.innerText`, &active); active != "Skip to the figures" {
		t.Errorf("the first stop is %q", active)
	}
	p.Eval(`document.querySelector(".plot").focus()`, nil)
	reading := `document.querySelector("output.reading").textContent`
	var last, before string
	p.Eval(reading, &last)
	p.Key("ArrowLeft")
	p.Wait(fmt.Sprintf(`%s !== %q`, reading, last))
	p.Eval(reading, &before)
	if !strings.Contains(before, " to ") || !strings.Contains(before, "examples 5,000") {
		t.Errorf("the reading is %q", before)
	}
	p.Key("Home")
	p.Wait(fmt.Sprintf(`%s !== %q`, reading, before))
	width := func() (w float64) {
		p.Eval(`(() => { const s = document.querySelector(".plot").plot.u.scales.x; return s.max - s.min; })()`, &w)
		return w
	}
	all := width()
	p.Key("+")
	p.Wait(fmt.Sprintf(`(() => { const s = document.querySelector(".plot").plot.u.scales.x; return s.max - s.min < %g; })()`, all*0.6))
	p.Key("0")
	p.Wait(fmt.Sprintf(`(() => { const s = document.querySelector(".plot").plot.u.scales.x; return s.max - s.min >= %g; })()`, all))
	p.Eval(`document.querySelector("figure details summary").click()`, nil)
	p.Wait(`document.querySelectorAll("figure table tbody tr").length >= 40`)

	shown(p, "segments")
	p.Eval(`[...document.querySelectorAll("button.sort")].find((b) => b.innerText.startsWith("Examples")).focus()`, nil)
	p.Key("Enter")
	p.Wait(`document.querySelector("th[aria-sort='descending']")?.innerText.startsWith("Examples")`)
	for _, fault := range p.Faults() {
		t.Error(fault)
	}
}

// How soon something is painted, from an empty cache. The bar is 300 ms on a machine of one's own.
func TestThePageIsPaintedSoon(t *testing.T) {
	b, f := browser.Start(t), newFake(t)
	b.Page(t, browser.View{}).Go(f.URL + "/") // the browser's own first page takes longer
	best := 1e9
	for range 3 {
		p := b.Page(t, browser.View{})
		p.Go(f.URL + "/")
		p.Wait(`performance.getEntriesByName("first-contentful-paint").length > 0`)
		var ms float64
		p.Eval(`performance.getEntriesByName("first-contentful-paint")[0].startTime`, &ms)
		best = min(best, ms)
	}
	t.Logf("first contentful paint after %.0f ms", best)
	if best > 3000 {
		t.Errorf("first contentful paint after %.0f ms", best)
	}
}
