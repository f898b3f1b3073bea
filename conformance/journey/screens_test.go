package journey

import (
	"flag"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// only limits the look at the screens to those whose name fits, for somebody who
// works on them: go test ./conformance/journey -run Screen -args -screens 'record'.
var only = flag.String("screens", "", "look at the screens whose name fits this pattern only")

// WC-05, WC-07, WC-09, WC-15: every page in every state and language fits a small
// window, and passes the checker: in English each state, in the other languages the
// ordinary one.
func TestEveryScreenCanBeUsedByEverybody(t *testing.T) {
	chosen, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for _, lang := range []string{"en", "es", "ar"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			b := (&world{t: t, ready: w.ready}).newBrowser()
			b.preload(shared.axe)
			b.visit("/dev/screens/?lang=" + lang)
			b.until("the list of screens", "document.querySelector('main a')")
			b.inspect("screens-index-" + lang)
			links := eval[[]string](b, `[...document.querySelectorAll('main a')].map((a) => a.href)`)
			if len(links) < 50 {
				t.Fatalf("only %d screens are listed", len(links))
			}
			titles := map[string]string{}
			for _, link := range links {
				if chosen.MatchString(screenOf(link)) {
					b.screen(link, lang, titles)
				}
			}
		})
	}
}

// screenOf gives the name of a screen from its address.
func screenOf(link string) string { return path.Base(path.Dir(link)) }

// screen looks at one canned page; its ordinary state is photographed.
func (b *tab) screen(link, lang string, titles map[string]string) {
	b.t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		b.t.Fatal(err)
	}
	name, state := screenOf(u.Path), path.Base(u.Path)
	what := name + " (" + state + ", " + lang + ")"
	u.RawQuery = url.Values{"lang": {lang}}.Encode()
	b.visit(u.String())
	if !b.has("main h1") {
		b.t.Errorf("%s is not there", what)
		return
	}
	// The markup of a state is one in every language; what fits is not.
	if lang == "en" || state == "normal" {
		b.audit(what)
	}
	b.fits(what)
	if got := eval[string](b, "document.documentElement.lang"); got != lang {
		b.t.Errorf("%s: the page's language is %q", what, got)
	}
	if state != "normal" {
		return
	}
	b.shotAt("screen-"+name+"-"+lang, phone)
	if lang == "en" {
		b.shotAt("screen-"+name+"-"+lang, wide)
		b.dark(true)
		b.audit(what + " in the dark")
		b.shot("screen-" + name + "-dark")
		b.dark(false)
	}
	b.title(name, titles)
}

// twins may share a title: the same page for another reader or answer.
func twins() [][]string {
	return [][]string{
		{"consent", "consent-proxy", "staff-consent"}, {"sign-in", "sign-in-for-app"}, {"done-allowed", "done-denied"},
		{"connected-apps", "connected-apps-proxy"}, {"pick-patient", "staff-pick-patient"},
	}
}

// title wants the title to belong to this page alone (WC-09).
func (b *tab) title(name string, titles map[string]string) {
	b.t.Helper()
	title := eval[string](b, "document.title")
	if !strings.HasSuffix(title, " – Mandate") {
		b.t.Errorf("%s: the title %q does not name the product", name, title)
	}
	if other, taken := titles[title]; taken && !slices.ContainsFunc(twins(), func(s []string) bool {
		return slices.Contains(s, name) && slices.Contains(s, other)
	}) {
		b.t.Errorf("%s and %s share the title %q", name, other, title)
	}
	titles[title] = name
}
