package demo

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// every page of the demonstration, for the tests of what all share.
var pagePaths = []string{
	"/app/", "/app/launch?iss=x&launch=y", "/app/callback?code=c&state=s", "/ehr/", "/ehr/?q=nobody", "/ehr/launch?patient=rosa", "/ehr/launch?patient=gone", "/ehr/faults", "/people/",
}

// No page has inline code or style, and the app may talk to Mandate only
// (issue: no token leaves; SMART AZ-19 for framing).
func TestPagesAreLockedDown(t *testing.T) {
	w := newWorld(t)
	for _, path := range pagePaths {
		resp := w.do(http.MethodGet, path, "")
		page := text(t, resp)
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if strings.HasPrefix(path, "/app/") && !strings.HasSuffix(csp, "connect-src "+w.mandate.URL) {
			t.Errorf("%s: the app may talk elsewhere: %q", path, csp)
		}
		if got := resp.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		for _, n := range nodes(t, page) {
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("%s: inline %s on <%s>", path, a.Key, n.Data)
				}
			}
			if n.Data == "style" || (n.Data == "script" && n.FirstChild != nil) {
				t.Errorf("%s: inline <%s>", path, n.Data)
			}
			if src, ok := attr(n, "src"); ok && !strings.HasPrefix(src, "/assets/") {
				t.Errorf("%s: loads %q", path, src)
			}
		}
	}
}

// Every page can be used with a screen reader: language, title, one heading,
// labels, targets of labels and references that exist.
func TestPagesAreAccessible(t *testing.T) {
	w := newWorld(t)
	for _, path := range pagePaths {
		page := text(t, w.do(http.MethodGet, path, ""))
		ids, labelled, headings := map[string]int{}, map[string]bool{}, 0
		all := nodes(t, page)
		for _, n := range all {
			if id, ok := attr(n, "id"); ok {
				ids[id]++
			}
			if to, ok := attr(n, "for"); ok {
				labelled[to] = true
			}
			if n.Data == "h1" {
				headings++
			}
		}
		if headings != 1 {
			t.Errorf("%s: %d first headings", path, headings)
		}
		for id, count := range ids {
			if count > 1 {
				t.Errorf("%s: the id %q is there %d times", path, id, count)
			}
		}
		for _, n := range all {
			id, _ := attr(n, "id")
			kind, _ := attr(n, "type")
			if slices.Contains([]string{"input", "select", "textarea"}, n.Data) && kind != "hidden" && !labelled[id] {
				t.Errorf("%s: <%s id=%q> has no label", path, n.Data, id)
			}
			for _, name := range []string{"for", "aria-labelledby", "aria-describedby"} {
				value, _ := attr(n, name)
				for _, target := range strings.Fields(value) {
					if ids[target] == 0 {
						t.Errorf("%s: %s=%q leads nowhere", path, name, target)
					}
				}
			}
		}
		if lang, _ := attr(all[0], "lang"); lang != "en" {
			t.Errorf("%s: lang %q", path, lang)
		}
	}
}

// The script's elements and the page's ids belong together.
func TestScriptFindsItsElements(t *testing.T) {
	w := newWorld(t)
	page := text(t, w.do(http.MethodGet, "/app/", ""))
	script := text(t, w.do(http.MethodGet, "/assets/app.js", ""))
	for _, m := range regexp.MustCompile(`(?:byId|on)\("([a-z-]+)"`).FindAllStringSubmatch(script, -1) {
		byID(t, page, m[1])
	}
	for _, m := range regexp.MustCompile(`Trouble\("([a-z_]+)"`).FindAllStringSubmatch(script, -1) {
		if !strings.Contains(page, `data-code="`+m[1]+`"`) {
			t.Errorf("the app can fail with %q, which the page has no words for", m[1])
		}
	}
	// Only the state and the verifier are ever stored (issue item 11).
	for _, m := range regexp.MustCompile(`(?:local|session)Storage\.setItem\(([^,]+),`).FindAllStringSubmatch(script, -1) {
		if m[1] != `"state"` && m[1] != `"code_verifier"` {
			t.Errorf("the app stores %s", m[1])
		}
	}
	if strings.Contains(script, "localStorage") || strings.Contains(script, "indexedDB") || strings.Contains(script, "document.cookie") || strings.Contains(script, "innerHTML") {
		t.Error("the app uses a storage or a sink that it must not use")
	}
}

func TestAppOffersScopes(t *testing.T) {
	w := newWorld(t)
	page := text(t, w.do(http.MethodGet, "/app/?preset=v1&scope=openid", ""))
	v1 := byID(t, page, "preset-v1")
	if value, _ := attr(v1, "value"); !strings.HasSuffix(value, " patient/*.read") { // SMART SCP-03
		t.Errorf("v1 asks for %q", value)
	}
	if _, checked := attr(v1, "checked"); !checked {
		t.Error("the preset of the query is not chosen")
	}
	if value, _ := attr(byID(t, page, "own-scopes"), "value"); value != "openid" {
		t.Errorf("own scopes %q", value)
	}
	main := byID(t, page, "main")
	if cb, _ := attr(main, "data-callback"); cb != base+"/app/callback" {
		t.Errorf("callback %q", cb)
	}
}

func TestStyleIsPublic(t *testing.T) { // SMART CTX-12
	w := newWorld(t)
	resp := w.do(http.MethodGet, "/ehr/style.json?v=1", "", "Origin", "https://app.example")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(text(t, resp), "color_text") {
		t.Errorf("style: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestUnknownAssetsAreNotFound(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"doc.go", "style.json", "none.js"} {
		if resp := w.do(http.MethodGet, "/assets/"+name, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
}

func TestConfigFaultsAreNamed(t *testing.T) {
	_, err := New(Config{Base: "http://demo.test/", Issuer: "mandate"})
	if err == nil {
		t.Fatal("an empty configuration was taken")
	}
	for _, name := range []string{"Base", "Issuer", "FHIRBase", "LaunchURL", "client ids", "Patients"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the fault of %s is not named: %v", name, err)
		}
	}
}
