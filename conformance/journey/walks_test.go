package journey

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// texts is a gateway of text messages on this machine.
type texts struct {
	*httptest.Server
	mu   sync.Mutex
	sent []string
}

func newTexts(t *testing.T) *texts {
	g := &texts{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var doc struct{ To, Text string }
		if r.Header.Get("Authorization") != "Bearer t0ken" || json.Unmarshal(body, &doc) != nil || doc.To != noahsNumber {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.sent = append(g.sent, doc.Text)
	}))
	t.Cleanup(g.Close)
	return g
}

// noahsNumber belongs to nobody.
const noahsNumber = "+15555550123"

// ofText is the code that a browser would fill in at this host.
var ofText = regexp.MustCompile(`@localhost #(\d{8})$`)

// next waits for the message after the first n, and gives its code.
func (g *texts) next(t *testing.T, n int) (code string) {
	t.Helper()
	poll(t, waitDeadline, "the text message", func() (bool, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.sent) <= n {
			return false, nil
		}
		if found := ofText.FindStringSubmatch(g.sent[n]); found != nil {
			code = found[1]
		}
		return true, nil
	})
	if code == "" {
		t.Fatalf("no code in %q", g.sent[n])
	}
	return code
}

func (g *texts) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sent)
}

// forward moves the clock of the server.
func (w *world) forward(by string) {
	w.t.Helper()
	w.post(w.ready.Clock, "", `{"advance":"`+by+`"}`, http.StatusOK, nil)
}

// browser opens one with the checker ready.
func (w *world) browser() *tab {
	w.t.Helper()
	b := w.newBrowser()
	b.preload(shared.axe)
	return b
}

// TestWalksOfSigningIn walks, on one server, through what people meet who add and use
// ways to sign in, one story after the other.
func TestWalksOfSigningIn(t *testing.T) {
	gateway := newTexts(t)
	w := newWorld(t, "--assurance", "clinician=aal3", "--notify-sms", gateway.URL+"/messages", "--notify-sms-token", "t0ken")
	for _, walk := range []struct {
		name string
		does func(w *world)
	}{
		{"private entries", rosaOpensWhatIsPrivate},
		{"a new clinician enrols", quinnEnrols},
		{"a key that stays on its device", haleNeedsAKey},
		{"codes that are sent", func(w *world) { noahsCodes(w, gateway) }},
	} {
		t.Run(walk.name, func(t *testing.T) { walk.does(&world{t: t, ready: w.ready}) })
	}
}

// errorsSay waits for the summary of what is wrong, and wants it to have the focus.
func (b *tab) errorsSay(text string) {
	b.t.Helper()
	b.until("the refusal “"+text+"”", "document.querySelector('#errors')?.innerText.includes("+quote(text)+") || [...document.querySelectorAll('.wrong-text')].some((e) => e.innerText.includes("+quote(text)+"))")
	if !eval[bool](b, "document.activeElement.id === 'errors'") {
		b.t.Error("the summary of errors has no focus")
	}
}

// meter types into the field of a new password and wants the hint to follow: it is in
// the page from the start, so that a screen reader tells of it politely; its words change
// with the strength only, not with each key; and it stops nobody.
func (b *tab) meter(name string) {
	b.t.Helper()
	const said = "document.querySelector('[data-strength] [role=status]')"
	if !eval[bool](b, said+".checkVisibility() && "+said+".textContent === '' && !document.querySelector('[data-strength] meter').checkVisibility()") {
		b.t.Error("before anything is typed, the hint is away from screen readers, or not empty")
	}
	eval[bool](b, `window.told = [], new MutationObserver(() => window.told.push(`+said+`.textContent)).observe(`+said+`, {childList: true, characterData: true, subtree: true}), true`)
	b.tabTo("#f-password")
	for _, step := range []struct{ keys, says string }{
		{"aaa", "Too short: eight signs or more are needed."},
		{"aaaaaa", "It looks weak."},
		{" river", "It looks fair."},
		{" lantern 42", "It looks strong."},
	} {
		b.press(step.keys)
		b.until("the hint “"+step.says+"”", said+".textContent.includes("+quote(step.says)+")")
		if step.keys == "aaa" {
			b.inspect(name + "-weak")
			b.tabTo("#f-password")
		}
	}
	if told := eval[[]string](b, "window.told"); len(told) != 4 {
		b.t.Errorf("a screen reader was told %d times: %q", len(told), told)
	}
	b.inspect(name + "-strong")
	if !eval[bool](b, "document.querySelector('[data-strength] meter').checkVisibility() && !document.querySelector('main form button.primary').disabled") {
		b.t.Error("the hint is not shown, or it stops somebody")
	}
	eval[bool](b, "(document.querySelector('#f-password').value = '') === ''")
}

// spaced gives a code in two groups, as people write it.
func spacedCode(code string) string { return code[:4] + " " + code[4:] }

func withoutSpaces(text string) string { return strings.ReplaceAll(text, " ", "") }
