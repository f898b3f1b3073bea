package screens

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
)

const phone = "+1 555 0100"

func handler(t *testing.T) http.Handler {
	t.Helper()
	w, err := words.New()
	if err != nil {
		t.Fatal(err)
	}
	kit, err := pages.New(pages.Deps{Words: w, Log: slog.New(slog.DiscardHandler), HelpPhone: phone})
	if err != nil {
		t.Fatal(err)
	}
	return New(kit)
}

func get(h http.Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

// document is what the checks need of a page.
type document struct {
	lang, title string
	ids         map[string]int
	labels      map[string]bool
	all         []*html.Node
	text        string
}

func parse(t *testing.T, body string) document {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	d := document{ids: map[string]int{}, labels: map[string]bool{}}
	for n := range root.Descendants() {
		switch n.Type {
		case html.TextNode:
			d.text += n.Data + " "
		case html.ElementNode:
			d.all = append(d.all, n)
			if id := attr(n, "id"); id != "" {
				d.ids[id]++
			}
			switch n.Data {
			case "html":
				d.lang = attr(n, "lang")
			case "title":
				d.title = n.FirstChild.Data
			case "label":
				d.labels[attr(n, "for")] = strings.TrimSpace(text(n)) != ""
			}
		}
	}
	return d
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// each calls f for every page in every state and language.
func each(t *testing.T, f func(t *testing.T, s Screen, st State, lang string, w *httptest.ResponseRecorder)) {
	t.Helper()
	h := handler(t)
	for _, s := range All() {
		for _, st := range States() {
			for _, l := range words.Languages() {
				t.Run(s.Name+"/"+string(st)+"/"+l.Code, func(t *testing.T) {
					w := get(h, Prefix+"/"+s.Name+"/"+string(st)+"?lang="+l.Code)
					if w.Code != http.StatusOK {
						t.Fatalf("status %d", w.Code)
					}
					f(t, s, st, l.Code, w)
				})
			}
		}
	}
}

// D.10 WC-07, WC-11, WC-15: structure, names, labels, language.
func TestEveryPageIsWellBuilt(t *testing.T) {
	each(t, func(t *testing.T, _ Screen, _ State, lang string, w *httptest.ResponseRecorder) {
		d := parse(t, w.Body.String())
		if d.lang != lang {
			t.Errorf("lang %q", d.lang)
		}
		if !strings.HasSuffix(d.title, " – Mandate") {
			t.Errorf("title %q", d.title)
		}
		if strings.ContainsAny(d.text, "⟦⟧") || strings.Contains(d.text, "ZgotmplZ") || strings.Contains(w.Body.String(), "<no value>") {
			t.Error("a text is missing: " + d.text)
		}
		for id, n := range d.ids {
			if n > 1 {
				t.Errorf("id %q %d times", id, n)
			}
		}
		seen := map[string]int{}
		level := 0
		for _, n := range d.all {
			seen[n.Data]++
			checkElement(t, d, n)
			if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
				if now := int(n.Data[1] - '0'); now > level+1 && !inAlert(n) {
					t.Errorf("%s follows h%d", n.Data, level)
				} else {
					level = now
				}
			}
		}
		for _, one := range []string{"h1", "main", "header", "footer", "title"} {
			if seen[one] != 1 {
				t.Errorf("%d %s", seen[one], one)
			}
		}
		if seen["style"] > 0 {
			t.Error("inline style")
		}
		if !strings.Contains(d.text, phone) {
			t.Error("no help telephone")
		}
	})
}

func inAlert(n *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if r := attr(p, "role"); r == "alert" || r == "alertdialog" {
			return true
		}
	}
	return false
}

func checkElement(t *testing.T, d document, n *html.Node) {
	t.Helper()
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			t.Errorf("inline %s on %s", a.Key, n.Data)
		}
		if a.Key == "aria-describedby" || a.Key == "aria-labelledby" {
			for _, id := range strings.Fields(a.Val) {
				if d.ids[id] == 0 {
					t.Errorf("%s points to no %q", a.Key, id)
				}
			}
		}
	}
	switch n.Data {
	case "input", "select":
		if typ := attr(n, "type"); typ != "hidden" && !d.labels[attr(n, "id")] {
			t.Errorf("%s %q has no label", n.Data, attr(n, "name"))
		}
	case "script":
		if attr(n, "src") == "" || attr(n, "integrity") == "" || n.FirstChild != nil {
			t.Error("script without src or integrity, or inline")
		}
	case "link":
		if attr(n, "rel") == "stylesheet" && attr(n, "integrity") == "" {
			t.Error("style sheet without integrity")
		}
	case "button", "a", "h1", "h2", "legend", "summary", "th":
		if strings.TrimSpace(text(n)) == "" {
			t.Errorf("empty %s", n.Data)
		}
	case "img":
		if !has(n, "alt") {
			t.Error("picture without alt")
		}
	case "ul", "ol":
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.Type == html.ElementNode && c.Data != "li" {
				t.Errorf("%s in a list", c.Data)
			}
		}
	}
	if href := attr(n, "href"); strings.HasPrefix(href, "#") && len(href) > 1 && d.ids[href[1:]] == 0 {
		t.Errorf("link to no %q", href)
	}
}

// D.10 WC-09: the same page has the same title everywhere, and no two pages
// share one.
func TestTitlesAreUniqueAmongPages(t *testing.T) {
	owner := map[string]string{}
	each(t, func(t *testing.T, s Screen, st State, lang string, w *httptest.ResponseRecorder) {
		if st == Long || st == Error {
			return
		}
		page := s.Page(st).Template()
		if page == "error" || page == "message" {
			page = s.Name
		}
		d := parse(t, w.Body.String())
		key := lang + d.title
		if other, ok := owner[key]; ok && other != page {
			t.Errorf("%q belongs to %s too", d.title, other)
		}
		owner[key] = page
	})
}

// Screens rule 5, D.10 WC-10: errors are on top, announced, linked to their
// field, and the title says so.
func TestErrorsAreOnTopAndLinked(t *testing.T) {
	each(t, func(t *testing.T, s Screen, st State, lang string, w *httptest.ResponseRecorder) {
		if st != Error {
			return
		}
		d := parse(t, w.Body.String())
		if !strings.HasPrefix(d.title, map[string]string{"en": "Error: ", "es": "Error: ", "ar": "خطأ: "}[lang]) {
			t.Errorf("title %q", d.title)
		}
		if d.ids["errors"] != 1 || !strings.Contains(w.Body.String(), `role="alert"`) {
			t.Error("no error summary")
		}
	})
}

func TestThereIsAlwaysAWayOn(t *testing.T) {
	each(t, func(t *testing.T, _ Screen, _ State, _ string, w *httptest.ResponseRecorder) {
		d := parse(t, w.Body.String())
		ways := 0
		for _, n := range d.all {
			if inPage(n) && (n.Data == "button" || n.Data == "a" || n.Data == "summary") {
				ways++
			}
		}
		if ways == 0 {
			t.Error("a dead end")
		}
	})
}

func inPage(n *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == "main" || p.Data == "nav" {
			return true
		}
	}
	return false
}

// Screens rules 2 and 3: two equal buttons, nothing sensitive ticked, scope
// strings only in the technical details.
func TestConsentIsAnHonestChoice(t *testing.T) {
	h := handler(t)
	for _, name := range []string{"consent", "consent-proxy", "staff-consent"} {
		d := parse(t, get(h, Prefix+"/"+name+"/normal").Body.String())
		answers := map[string]string{}
		for _, n := range d.all {
			switch {
			case n.Data == "button" && attr(n, "name") == "answer":
				answers[attr(n, "value")] = attr(n, "class")
			case n.Data == "input" && has(n, "checked") && strings.Contains("k5 k6", attr(n, "name")):
				t.Errorf("%s: %s is sensitive and ticked", name, attr(n, "name"))
			case n.Data == "main":
				folded := text(n)
				for _, f := range d.all {
					if f.Data == "details" && strings.HasPrefix(strings.TrimSpace(text(f)), "Technical details") {
						folded = strings.ReplaceAll(folded, text(f), "")
					}
				}
				if strings.Contains(folded, "patient/") || strings.Contains(folded, "Observation") {
					t.Errorf("%s shows codes", name)
				}
			}
		}
		if len(answers) != 2 || answers["allow"] != answers["deny"] {
			t.Errorf("%s: buttons %v", name, answers)
		}
	}
}

// Screens rule 4: acting for somebody is said in words.
func TestActingForSomebodyIsSaid(t *testing.T) {
	body := get(handler(t), Prefix+"/consent-proxy/normal").Body.String()
	for _, want := range []string{"You are acting for Rosa Alvarez, as her daughter.", "Elena Alvarez, as her daughter"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q", want)
		}
	}
	if es := get(handler(t), Prefix+"/consent-proxy/normal?lang=es").Body.String(); !strings.Contains(es, "Usted actúa por Rosa Alvarez, como su hija.") {
		t.Error("not said in Spanish")
	}
}

func TestPeopleArePlainSentences(t *testing.T) {
	body := get(handler(t), Prefix+"/people/normal").Body.String()
	if !strings.Contains(body, "Elena Alvarez can see your medicines and appointments until 20 May 2027.") {
		t.Error(body)
	}
}

func TestTheListShowsEveryPageAndUnknownOnesAreNotFound(t *testing.T) {
	h := handler(t)
	list := get(h, Prefix).Body.String()
	names := map[string]bool{}
	for _, s := range All() {
		if names[s.Name] {
			t.Errorf("%s twice", s.Name)
		}
		names[s.Name] = true
		for _, st := range States() {
			if !strings.Contains(list, `href="`+Prefix+"/"+s.Name+"/"+string(st)+`"`) {
				t.Errorf("%s/%s is not listed", s.Name, st)
			}
		}
	}
	d := parse(t, list)
	for _, n := range d.all {
		checkElement(t, d, n)
	}
	for _, target := range []string{"/dev/screens/none/normal", "/dev/screens/consent/none", "/elsewhere"} {
		if w := get(h, target); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	if w := get(http.StripPrefix(Prefix, h), Prefix+"/consent/normal"); w.Code != http.StatusOK ||
		!strings.Contains(w.Body.String(), `href="`+Prefix+`/consent/normal?lang=es"`) {
		t.Errorf("behind StripPrefix: %d", w.Code)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, Prefix+"/consent/normal", nil))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != Prefix+"/consent/normal" {
		t.Errorf("POST: %d %s", w.Code, w.Header().Get("Location"))
	}
}
