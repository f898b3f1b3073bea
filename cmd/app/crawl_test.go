package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// openRoutesFile lists what answers without a session, for a reviewer to read.
const openRoutesFile = "../../conformance/testdata/open-routes.tsv"

// watcher sees every address that browsers of a story meet: asked, sent on to, linked
// to, and every id that a page holds.
type watcher struct {
	http.RoundTripper
	mu    sync.Mutex
	paths map[string]bool
	ids   map[string]bool
}

var (
	linkIn = regexp.MustCompile(`(?:href|action|src)="([^"#]+)`)
	idIn   = regexp.MustCompile(`\b[0-9a-f]{32}\b|\b[A-Za-z0-9_-]{22,64}\b`)
)

func (w *watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return res, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meets(r.URL)
	if to, err := r.URL.Parse(res.Header.Get("Location")); err == nil {
		w.meets(to)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		for _, m := range linkIn.FindAllSubmatch(body, -1) {
			if to, err := r.URL.Parse(strings.ReplaceAll(string(m[1]), "&amp;", "&")); err == nil && to.Host == r.URL.Host {
				w.meets(to)
			}
		}
	}
	return res, nil
}

// meets keeps an address and the ids in it.
func (w *watcher) meets(u *url.URL) {
	w.paths[u.RequestURI()] = true
	for _, id := range idIn.FindAllString(u.RequestURI(), -1) {
		w.ids[id] = true
	}
}

// watched is a story in which every browser is watched.
func watched(t *testing.T) (teller, *watcher) {
	t.Helper()
	s := teller{start(t, nil), t}
	through := s.HTTP.Transport
	if through == nil {
		through = http.DefaultTransport
	}
	w := &watcher{RoundTripper: through, paths: map[string]bool{}, ids: map[string]bool{}}
	s.HTTP.Transport = w
	return s, w
}

// fullStory lets people use what there is: sharing, shutting out, keeping, copying,
// acting, calling, disputes, messages, apps, accounts and the console.
func (s teller) fullStory() {
	s.t.Helper()
	t := s.t
	rosa, noah, hale, osei := s.secured("rosa"), s.secured("noah"), s.browser("hale"), s.browser("osei")
	ada, elena := s.browser("admin"), s.browser("elena")
	s.open(t, hale, "/staff")
	bea := &twin{name: "Bea Brook", email: "bea@example.org", username: "beabrook"}
	s.letIn(rosa, hale, bea)
	s.fill(rosa, "/people/block", "", url.Values{"name": {"Cal Crane"}, "email": {"cal@example.org"}, "relation": {"FMRSPS"}})
	s.kept(rosa, "/record/medicines", "keep")
	for _, way := range []string{"pdf", "print"} {
		s.asked(rosa, "/record/medicines/copy", way, nil)
	}
	s.ticket(rosa, s.asked(rosa, "/record/results/copy", "print", nil))
	s.connected(t, noah, "noah")
	s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asksForMedicines, Visit: kit.Visit{Browser: bea.b, Patient: "Rosa Alvarez"}})
	s.open(t, elena, "/home")
	s.turns(elena, "rosa-elena")
	s.turns(elena, "self")
	at, ann := s.guardian(hale, osei)
	s.fill(hale, at+"/hold", "yes", url.Values{"ground": {"171.201"}})
	stray := s.NewBrowser(kit.Person{})
	s.begins(t, stray, "elena")
	for _, visit := range []struct {
		b     *kit.Browser
		paths []string
	}{
		{rosa, []string{"/home", "/people", "/people/" + bea.id, "/people/" + bea.id + "/share", "/activity", "/apps", "/record", "/record/results", "/messages", "/contact", "/factors", "/devices",
			"/account", "/account/activity", "/account/addresses", "/account/travel", "/call-code", "/together", "/records/Consent", "/records/RelatedPerson", "/records/Provenance", "/records/QuestionnaireResponse", "/records/Communication"}},
		{bea.b, []string{"/home", "/helping", "/helping/" + bea.id, "/copies/of/" + bea.id, "/messages", "/acting", "/call-code", "/apps"}},
		{ann, []string{"/helping", "/messages"}},
		{noah, []string{"/apps", "/activity", "/home"}},
		{hale, []string{"/staff", "/staff/people", "/staff/matters", s.matterAt(hale), "/staff/matters/open/" + strings.TrimPrefix(at, "/staff/people/"), "/staff/recovery", "/staff/calls", "/records/Task"}},
		{ada, []string{"/staff", "/operator/clients", "/operator/clients/" + s.Client("public").ID, "/operator/keys", "/operator/sign-ins", "/operator/explain"}},
	} {
		for _, path := range visit.paths {
			if p := s.open(t, visit.b, path); p.Status >= http.StatusInternalServerError {
				t.Errorf("%s failed for %s: %d", path, visit.b.Person.Username, p.Status)
			}
		}
	}
}

// openRoute is a line of the list.
type openRoute struct{ method, path string }

// openRoutes reads the list.
func openRoutes(t *testing.T) (out []openRoute) {
	t.Helper()
	raw, err := os.ReadFile(openRoutesFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Split(strings.TrimSpace(line), "\t"); len(fields) == 3 {
			for method := range strings.FieldsSeq(fields[0]) {
				out = append(out, openRoute{method, fields[1]})
			}
		}
	}
	return out
}

// asPattern gives the expression of the paths that a route answers.
func asPattern(route string) *regexp.Regexp {
	parts := variableIn.Split(route, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	text := strings.Join(parts, "[^/]*")
	if strings.Contains(route, ":.*}") {
		text = strings.TrimSuffix(text, "[^/]*") + ".*"
	}
	return regexp.MustCompile("^" + text + "$")
}

var variableIn = regexp.MustCompile(`\{[^}]*\}`)

// crawler asks as nobody, each time in a browser without a cookie.
type crawler struct {
	teller
	open []*regexp.Regexp
	// told are words that no answer may hold.
	told []string
	// dev matches what a server of production does not have.
	dev   *regexp.Regexp
	asked int
}

// nothing wants that a path gives nothing: the way to the sign-in or a refusal, and
// where it is on the list, a page that names nobody. It gives the status, 0 where that
// says nothing.
func (c *crawler) nothing(path string) int {
	c.t.Helper()
	only, _, _ := strings.Cut(path, "?")
	if c.dev.MatchString(only) {
		return 0
	}
	c.asked++
	res := c.do(c.t, kit.Request{URL: c.Issuer + path, Header: http.Header{"Accept": {"text/html"}}})
	to := strings.TrimPrefix(res.Header.Get("Location"), c.Issuer)
	listed := slices.ContainsFunc(c.open, func(r *regexp.Regexp) bool { return r.MatchString(only) })
	refused := res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden || res.Status == http.StatusTooManyRequests ||
		res.Status == http.StatusMethodNotAllowed || res.Status == http.StatusSeeOther && (strings.HasPrefix(to, "/signin") || strings.HasPrefix(to, "/staff"))
	// A page for a form alone has no GET, and a path that is no route has nothing at all.
	if !listed && !refused && res.Status != http.StatusNotFound {
		c.t.Errorf("%s answers nobody with %d, to %q: %.200s", path, res.Status, to, res.Body)
	}
	for _, word := range c.told {
		if bytes.Contains(res.Body, []byte(word)) {
			c.t.Errorf("%s tells nobody %q", path, word)
		}
	}
	if to == "" || strings.HasPrefix(to, "/") {
		if policy := res.Header.Get("Referrer-Policy"); policy != "no-referrer" && policy != "same-origin" {
			c.t.Errorf("%s: Referrer-Policy %q", path, policy)
		}
	}
	if listed || res.Status == http.StatusTooManyRequests {
		return 0
	}
	return res.Status
}

// SP-19: after a full story no address of it, and no route with any id of it, gives
// anything to a browser without a session. What does answer is a short list that a
// reviewer can read, and names nobody.
func TestNoAddressWorksWithoutASession(t *testing.T) {
	s, seen := watched(t)
	s.fullStory()
	c := &crawler{teller: s, dev: regexp.MustCompile(`^/dev(/|$)`), told: []string{"Rosa", "Alvarez", "Bea Brook", "Cal Crane", "Ann ", "Noah", "Morphine", "morphine", "mg tablet", "rosa@", "bea@"}}
	for _, r := range openRoutes(t) {
		if r.method == http.MethodGet {
			c.open = append(c.open, asPattern(r.path))
		}
	}
	var ids, paths []string
	for id := range seen.ids {
		ids = append(ids, id)
	}
	ids = append(ids, "rosa", "rosa-elena", "noah", "medicines", "Consent", "pdf", "1")
	for path := range seen.paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	if len(ids) < 25 || len(paths) < 150 {
		t.Fatalf("the story met %d ids and %d addresses only", len(ids), len(paths))
	}
	// The own transport would note what is asked now.
	s.HTTP.Transport = seen.RoundTripper
	for _, path := range paths {
		c.nothing(path)
	}
	for _, r := range s.getRoutes(t) {
		said := map[int]string{}
		for _, id := range ids {
			at := variableIn.ReplaceAllString(strings.Replace(r, "{act}", "share", 1), url.PathEscape(id))
			if status := c.nothing(at); status != 0 {
				said[status] = at
			}
			if at == r {
				break
			}
		}
		if len(said) > 1 {
			t.Errorf("%s tells nobody which ids there are: %v", r, said)
		}
	}
	if c.asked < 1000 {
		t.Errorf("only %d addresses were asked", c.asked)
	}
}

// getRoutes gives the path of each route that answers GET.
func (s teller) getRoutes(t *testing.T) (out []string) {
	t.Helper()
	code, text, fault := cli(t, "routes", "--json")
	var list []struct{ Method, Path string }
	if err := json.Unmarshal([]byte(text), &list); code != 0 || err != nil {
		t.Fatal(code, err, fault)
	}
	for _, r := range list {
		if r.Method == http.MethodGet {
			out = append(out, r.Path)
		}
	}
	if len(out) < 80 {
		t.Fatal(fmt.Sprint(out))
	}
	return out
}
