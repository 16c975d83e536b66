package browser

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// View is how a page is looked at.
type View struct {
	Width, Height int // of the window, in pixels; 1280 and 900 where 0
	Dark          bool
	ReducedMotion bool
	Zone          string // time zone, such as Europe/Berlin; that of the machine when empty
}

// Page is a tab of its own: it shares no cookies and no storage with others.
type Page struct {
	t       testing.TB
	b       *Browser
	session string

	mu     sync.Mutex
	host   string // to which alone the page may send requests
	faults []string
}

// Page opens an empty tab.
func (b *Browser) Page(t testing.TB, v View) *Page {
	t.Helper()
	p := &Page{t: t, b: b}
	var made struct{ BrowserContextID, TargetID, SessionID string }
	for _, step := range []struct {
		method string
		params func() map[string]any
	}{
		{"Target.createBrowserContext", func() map[string]any { return nil }},
		{"Target.createTarget", func() map[string]any {
			return map[string]any{"url": "about:blank", "browserContextId": made.BrowserContextID}
		}},
		{"Target.attachToTarget", func() map[string]any { return map[string]any{"targetId": made.TargetID, "flatten": true} }},
	} {
		result, err := b.call("", step.method, step.params())
		if err == nil {
			err = json.Unmarshal(result, &made)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p.session = made.SessionID
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	t.Cleanup(func() {
		_, _ = b.call("", "Target.disposeBrowserContext", map[string]any{"browserContextId": made.BrowserContextID})
	})
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.call(domain+".enable", nil)
	}
	p.look(v)
	return p
}

func (p *Page) look(v View) {
	if v.Width == 0 {
		v.Width, v.Height = 1280, 900
	}
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": v.Width, "height": v.Height, "deviceScaleFactor": 1, "mobile": v.Width < 600})
	scheme, motion := "light", "no-preference"
	if v.Dark {
		scheme = "dark"
	}
	if v.ReducedMotion {
		motion = "reduce"
	}
	p.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{
		{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": motion}}})
	if v.Zone != "" {
		p.call("Emulation.setTimezoneOverride", map[string]any{"timezoneId": v.Zone})
	}
}

func (p *Page) call(method string, params any) json.RawMessage {
	p.t.Helper()
	result, err := p.b.call(p.session, method, params)
	if err != nil {
		p.t.Fatal(err)
	}
	return result
}

// Go opens an address, to whose host alone the page may send requests from then on.
func (p *Page) Go(address string) {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.host = u.Host
	p.mu.Unlock()
	p.call("Page.navigate", map[string]any{"url": address})
	p.Wait(`document.readyState === "complete"`)
}

// Eval runs an expression, which may be a promise, and reads its result into a pointer; nil drops
// it.
func (p *Page) Eval(expression string, into any) {
	p.t.Helper()
	if err := p.eval(expression, into); err != nil {
		p.t.Fatalf("%.200s: %v", expression, err)
	}
}

func (p *Page) eval(expression string, into any) error {
	result, err := p.b.call(p.session, "Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true})
	if err != nil {
		return err
	}
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if err := json.Unmarshal(result, &r); err != nil {
		return err
	}
	if r.ExceptionDetails != nil {
		return fmt.Errorf("%s %s", r.ExceptionDetails.Text, r.ExceptionDetails.Exception.Description)
	}
	if into == nil || len(r.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(r.Result.Value, into)
}

// Wait waits until an expression is true, at most a minute. What the page shows then is logged
// when it stays false.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	var held bool
	err := p.eval(`new Promise((done) => {
		const end = performance.now() + 60000;
		const look = () => { let held = false; try { held = Boolean(`+expression+`); } catch { /* not yet */ }
			if (held || performance.now() > end) done(held); else setTimeout(look, 20); };
		look();
	})`, &held)
	if err == nil && held {
		return
	}
	var text string
	_ = p.eval(`document.body?.innerText.slice(0, 1500) ?? ""`, &text)
	p.t.Fatalf("%s is not true within a minute (%v); the page shows:\n%s", expression, err, text)
}

// Text is what an element shows.
func (p *Page) Text(selector string) (text string) {
	p.t.Helper()
	p.Eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector), &text)
	return text
}

// Key presses a key, such as "Tab", "ArrowLeft" or "+".
func (p *Page) Key(key string) {
	p.t.Helper()
	params := map[string]any{"type": "keyDown", "key": key, "code": key}
	if code := map[string]int{"Tab": 9, "Enter": 13, "Home": 36, "End": 35, "ArrowLeft": 37, "ArrowRight": 39}[key]; code != 0 {
		params["windowsVirtualKeyCode"] = code
	} else {
		params["text"] = key
	}
	if key == "Enter" {
		params["text"] = "\r"
	}
	p.call("Input.dispatchKeyEvent", params)
	p.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key})
}

// Move moves the pointer to the middle of an element.
func (p *Page) Move(selector string) {
	p.t.Helper()
	var at struct{ X, Y float64 }
	p.Eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "nearest"}); const r = e.getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + Math.min(r.height / 2, 40)}; })()`, selector), &at)
	p.call("Input.dispatchMouseEvent", map[string]any{"type": "mouseMoved", "x": at.X, "y": at.Y})
}

// Screenshot writes the whole page as PNG.
func (p *Page) Screenshot(file string) {
	p.t.Helper()
	var shot struct{ Data string }
	if err := json.Unmarshal(p.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}), &shot); err != nil {
		p.t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(file, b, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// Axe runs axe-core, if CLICKLOOP_TEST_AXE names its script, and gives what it finds serious or
// critical.
func (p *Page) Axe() (found []string) {
	p.t.Helper()
	file := os.Getenv("CLICKLOOP_TEST_AXE")
	if file == "" {
		return nil
	}
	var there bool
	if p.Eval(`"axe" in window`, &there); !there {
		script, err := os.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		p.Eval(string(script)+"\n;0", nil)
	}
	p.Eval(`axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
		.map((v) => v.id + ": " + v.help + ": " + v.nodes[0].html.slice(0, 200)))`, &found)
	return found
}

// Faults gives what went wrong since the last call: errors and warnings on the console, exceptions,
// requests to other hosts.
func (p *Page) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.faults
	p.faults = nil
	return found
}

// event notes a fault that the browser tells of.
func (p *Page) event(method string, params json.RawMessage) {
	var e struct {
		Type             string // of a call of console
		Args             []struct{ Value, Description any }
		Entry            struct{ Level, Text, URL string }
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Request struct{ URL string }
	}
	if json.Unmarshal(params, &e) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch method {
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			p.faults = append(p.faults, fmt.Sprintf("console.%s: %v", e.Type, e.Args))
		}
	case "Runtime.exceptionThrown":
		p.faults = append(p.faults, e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case "Log.entryAdded":
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			p.faults = append(p.faults, e.Entry.Text+" "+e.Entry.URL)
		}
	case "Network.requestWillBeSent":
		u, err := url.Parse(e.Request.URL)
		if err != nil || (u.Host != p.host && !strings.HasPrefix(e.Request.URL, "data:") && e.Request.URL != "about:blank") {
			p.faults = append(p.faults, "a request to another host: "+e.Request.URL)
		}
	}
}
