package journey

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// size is a window in CSS pixels.
type size struct{ width, height int }

var (
	wide  = size{1280, 1024}
	phone = size{320, 640}
	// zoomed is 1280×1024 at 400 % (WCAG 1.4.10).
	zoomed = size{320, 256}
)

// tab is one page of a browser, used by one person.
type tab struct {
	t     *testing.T
	world *world
	ctx   context.Context
	// profile is the browser context, which holds the cookies.
	profile cdp.BrowserContextID

	mu     sync.Mutex
	faults []string
}

// newBrowser opens a browser context of its own: no cookie, no history.
func (w *world) newBrowser() *tab {
	w.t.Helper()
	browser := cdp.WithExecutor(shared.browser, chromedp.FromContext(shared.browser).Browser)
	id, err := target.CreateBrowserContext().Do(browser)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := target.DisposeBrowserContext(id).Do(browser); err != nil {
			w.t.Error(err)
		}
	})
	return open(w, id)
}

// another opens a second tab of the same browser.
func (b *tab) another() *tab {
	b.t.Helper()
	return open(b.world, b.profile)
}

// open makes a tab in a window of its own, so that it is never in the
// background.
func open(w *world, profile cdp.BrowserContextID) *tab {
	w.t.Helper()
	browser := cdp.WithExecutor(shared.browser, chromedp.FromContext(shared.browser).Browser)
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(browser)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, end := chromedp.NewContext(shared.browser, chromedp.WithTargetID(id))
	w.t.Cleanup(end)
	b := &tab{t: w.t, world: w, ctx: ctx, profile: profile}
	chromedp.ListenTarget(ctx, b.listen)
	b.run(log.Enable(), runtime.Enable())
	b.preload(keepTokens)
	b.window(wide)
	w.t.Cleanup(b.finish)
	return b
}

// listen keeps what no page may do: throw, or break its own security policy.
func (b *tab) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, "script: "+e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Source == log.SourceSecurity || strings.Contains(e.Entry.Text, "Content Security Policy") {
			b.faults = append(b.faults, e.Entry.Text)
		}
	}
}

// finish takes a last picture of a failed story and tells faults of scripts.
func (b *tab) finish() {
	b.mu.Lock()
	faults := b.faults
	b.mu.Unlock()
	for _, f := range faults {
		b.t.Errorf("the browser complained: %s", f)
	}
	if b.t.Failed() {
		var at, text string
		if chromedp.Run(b.ctx, chromedp.Location(&at), chromedp.Evaluate(`document.body?.innerText ?? ""`, &text)) == nil {
			b.t.Logf("the last page was %s:\n%s", at, text)
			b.shot("failed-" + strings.ReplaceAll(b.t.Name(), "/", "-"))
		}
	}
}

// run performs actions within the deadline.
func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := b.try(actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) try(actions ...chromedp.Action) error {
	// The first run of a tab decides its life; only later ones may be cut.
	if chromedp.FromContext(b.ctx).Target == nil {
		return chromedp.Run(b.ctx, actions...)
	}
	ctx, cancel := context.WithTimeout(b.ctx, waitDeadline)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// preload runs a script in each page that the tab opens from now on.
func (b *tab) preload(script string) {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	}))
}

// visit opens an address: absolute, or a path of the issuer.
func (b *tab) visit(address string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.world.ready.Issuer + address
	}
	if err := b.try(chromedp.Navigate(address)); err != nil {
		b.t.Fatalf("%s: %v", address, err)
	}
}

// eval gives the value of an expression in the page.
func eval[T any](b *tab, js string) T {
	b.t.Helper()
	var out T
	if err := b.try(chromedp.Evaluate(js, &out)); err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return out
}

// until waits for an expression to be true; pages may change meanwhile.
func (b *tab) until(what, js string) {
	b.t.Helper()
	poll(b.t, waitDeadline, what, func() (bool, error) {
		var ok bool
		ctx, cancel := context.WithTimeout(b.ctx, waitDeadline)
		defer cancel()
		if err := chromedp.Run(ctx, chromedp.Evaluate("document.readyState === 'complete' && !!("+js+")", &ok)); err != nil {
			return false, ctx.Err()
		}
		return ok, nil
	})
}

// heading waits for the page with this heading.
func (b *tab) heading(text string) {
	b.t.Helper()
	b.until("the heading “"+text+"”", "document.querySelector('h1')?.innerText.trim() === "+quote(text))
}

// tryOnPage is try, again while the browser is changing to a new page: the
// element it had found is then gone, and nothing was done to it.
func (b *tab) tryOnPage(action chromedp.Action) error {
	b.t.Helper()
	var err error
	poll(b.t, waitDeadline, "the page to stay", func() (bool, error) {
		err = b.try(action)
		return err == nil || !strings.Contains(err.Error(), "Could not find node"), nil
	})
	return err
}

// click presses the mouse on an element, as a person would.
func (b *tab) click(selector string) {
	b.t.Helper()
	if err := b.tryOnPage(chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible)); err != nil {
		b.t.Fatalf("clicking %s: %v", selector, err)
	}
}

// fill types into a field.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	if err := b.tryOnPage(chromedp.SendKeys(selector, text, chromedp.ByQuery, chromedp.NodeVisible)); err != nil {
		b.t.Fatalf("typing into %s: %v", selector, err)
	}
}

// press sends keys to whatever has the focus.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys))
}

func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, "document.querySelector("+quote(selector)+")?.innerText ?? ''")
}

func (b *tab) has(selector string) bool {
	b.t.Helper()
	return eval[bool](b, "!!document.querySelector("+quote(selector)+")")
}

// says wants the page's main part to contain each text.
func (b *tab) says(texts ...string) {
	b.t.Helper()
	main := b.text("body")
	for _, want := range texts {
		if !strings.Contains(main, want) {
			b.t.Errorf("the page does not say %q:\n%s", want, main)
		}
	}
}

func (b *tab) location() *url.URL {
	b.t.Helper()
	u, err := url.Parse(eval[string](b, "location.href"))
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

func (b *tab) window(s size) {
	b.t.Helper()
	b.run(emulation.SetDeviceMetricsOverride(int64(s.width), int64(s.height), 1, false))
}

func (b *tab) dark(on bool) {
	b.t.Helper()
	value := ""
	if on {
		value = "dark"
	}
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}))
}

// shot keeps a picture of the whole page.
func (b *tab) shot(name string) {
	b.t.Helper()
	b.capture(name, true)
}

// capture keeps a picture of the window, or of what is beyond it too; beyond it, a
// page that runs from right to left is drawn out of its place.
func (b *tab) capture(name string, beyond bool) {
	b.t.Helper()
	var png []byte
	ctx, cancel := context.WithTimeout(b.ctx, waitDeadline)
	defer cancel()
	err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(beyond).WithOptimizeForSpeed(true).Do(ctx)
		return err
	}))
	if err == nil {
		err = os.WriteFile(filepath.Join(shared.pictures, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Errorf("picture %s: %v", name, err)
	}
}

// shots keeps pictures at both widths.
func (b *tab) shots(name string) {
	b.t.Helper()
	b.shotAt(name, phone)
	b.shotAt(name, wide)
}

// shotAt keeps a picture at one width, as high as the page is.
func (b *tab) shotAt(name string, s size) {
	b.t.Helper()
	b.window(s)
	height := eval[int](b, "document.documentElement.scrollHeight")
	b.window(size{s.width, max(s.height, min(height, tallest))})
	b.capture(fmt.Sprintf("%s-%d", name, s.width), false)
	b.window(wide)
}

// tallest is how much of a long page is photographed, in CSS pixels.
const tallest = 8000

// quote gives a JavaScript string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}
