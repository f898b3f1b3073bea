package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// publisher is the maker of an app that describes itself by a document.
type publisher struct {
	*httptest.Server
	mu     sync.Mutex
	body   string
	status int
	visits int
}

func publish(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{status: http.StatusOK}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.visits++
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=120")
		w.WriteHeader(p.status)
		_, _ = w.Write([]byte(p.body))
	}))
	t.Cleanup(p.Close)
	p.says(t, nil)
	return p
}

// client is the app, whose client_id is the address of the document.
func (p *publisher) client() kit.Client {
	return kit.Client{ID: p.URL + "/app/client.json", Kind: "public", RedirectURIs: []string{p.URL + "/cb"}}
}

// says changes the document.
func (p *publisher) says(t *testing.T, more map[string]any) {
	t.Helper()
	doc := map[string]any{
		"client_id": p.client().ID, "client_name": "Wanderer", "redirect_uris": []string{p.URL + "/cb"},
		"scope": "openid launch/patient offline_access patient/*.rs",
	}
	for k, v := range more {
		doc[k] = v
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.body = string(raw)
}

func (p *publisher) answers(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

func (p *publisher) since() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.visits
	p.visits = 0
	return n
}

// page starts a request of an app that nobody may have heard of, and gives what the
// browser shows.
func (s *server) page(t *testing.T, c kit.Client) *kit.Response {
	t.Helper()
	req := s.AuthorizeRequest(c, "launch/patient patient/*.rs", s.NewVerifier())
	return s.do(t, kit.Request{URL: s.Config.Authorize + "?" + req.Encode()})
}

// lastRefusal gives the cause of the last authorization request of a client that
// was refused.
func (s *server) lastRefusal(t *testing.T, c kit.Client) string {
	t.Helper()
	list := s.events(t, "kind=authorize.refused&client_id="+url.QueryEscape(c.ID))
	if len(list) == 0 {
		return ""
	}
	return list[0].Reason
}

// documentToggle is the switch that takes clients described by documents of a host.
func documentToggle(maker *publisher) toggle {
	return toggle{
		name: "client-ID metadata documents", documents: []string{docSMART, docOpenID, docOAuth}, member: "client_id_metadata_document_supported",
		on: func(c *app.Config) { c.Registration.DocumentHosts = []string{strings.TrimPrefix(maker.URL, "http://")} },
		works: func(t *testing.T, s *server) bool {
			s.page(t, maker.client())
			return maker.since() > 0
		},
	}
}

// An app whose client_id is the address of a document registers by being there:
// it waits for approval, is asked about by its host, follows its document, and
// ends with it (draft-ietf-oauth-client-id-metadata-document).
//
// long: one story of an app, from its first request to its end.
func TestClientsKnownByADocument(t *testing.T) {
	maker := publish(t)
	s := start(t, func(c *app.Config) { c.Registration.DocumentHosts = []string{strings.TrimPrefix(maker.URL, "http://")} })
	me := maker.client()
	wait := func(d time.Duration) {
		t.Helper()
		if err := s.Advance(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(code string) {
		t.Helper()
		res, why := s.page(t, me), s.lastRefusal(t, me)
		if res.Status != http.StatusBadRequest || res.Header.Get("Location") != "" || why != code {
			t.Errorf("%d because of %s, not %s", res.Status, why, code)
		}
	}
	refused("client-document-pending")
	var seen struct {
		card
		By string `json:"registered_by"`
	}
	path := "/clients/" + url.PathEscape(me.ID)
	if res := s.admin(t, "GET", path, "", &seen); res.Status != http.StatusOK || seen.Status != "pending" || seen.By != "document" {
		t.Fatal(res, string(res.Body))
	}
	if res := s.admin(t, "PUT", path, `{"client_id":"`+me.ID+`","client_name":"x","token_endpoint_auth_method":"none","redirect_uris":["https://x.example"],"scope":"patient/*.rs"}`, nil); res.Status != http.StatusConflict {
		t.Errorf("an operator changes what the document says: %s", res)
	}
	if res := s.admin(t, "POST", path+"/approve", "", nil); res.Status != http.StatusOK {
		t.Fatal(res, string(res.Body))
	}
	maker.since()
	g := s.granted(t, kit.Launch{Client: me, Scope: "openid launch/patient offline_access patient/*.rs", Visit: kit.Visit{Person: "noah"}})
	host, _ := url.Parse(me.ID)
	if !strings.Contains(string(g.Answer.ConsentPage.Body), host.Host) {
		t.Error("the consent page does not name the host of the document")
	}
	if n := maker.since(); n != 0 {
		t.Errorf("%d fetches within max-age", n)
	}
	// The document is read again when it is no longer fresh; another redirect URI is
	// a matter for the operator.
	maker.says(t, map[string]any{"redirect_uris": []string{maker.URL + "/cb", maker.URL + "/other"}})
	wait(3 * time.Minute)
	refused("client-document-pending")
	s.admin(t, "POST", path+"/approve", "", nil)
	g = s.granted(t, kit.Launch{Client: me, Scope: "openid launch/patient offline_access patient/*.rs", Visit: kit.Visit{Person: "noah"}})
	// What cannot be had, or is no good, begins nothing; what was granted goes on.
	wait(3 * time.Minute)
	maker.answers(http.StatusNotFound)
	maker.since()
	for range 5 {
		refused("client-document-unavailable")
	}
	if n := maker.since(); n != 1 {
		t.Errorf("%d fetches of a document that is not there", n)
	}
	s.refreshed(t, g, g.RefreshToken(), http.StatusOK)
	maker.answers(http.StatusOK)
	for what, doc := range map[string]map[string]any{
		"another client_id": {"client_id": me.ID + "x"}, "a secret": {"client_secret": "x"}, "a method with a secret": {"token_endpoint_auth_method": "client_secret_post"},
		"addresses elsewhere": {"redirect_uris": []string{"https://elsewhere.example/cb"}}, "a service": {"grant_types": []string{"client_credentials"}},
	} {
		t.Log(what)
		maker.says(t, doc)
		wait(time.Minute)
		refused("client-document-refused")
	}
	maker.says(t, nil)
	wait(time.Minute)
	if res := s.admin(t, "DELETE", path, "", nil); res.Status != http.StatusOK {
		t.Error(res)
	}
	refused("client-unknown")
}

// Without the switch an address is nobody's client_id and nothing is fetched, and a
// host that is not on the list is not asked either.
func TestDocumentsAreOffUnlessAHostIsNamed(t *testing.T) {
	maker := publish(t)
	for _, hosts := range [][]string{nil, {"app.example"}} {
		s := start(t, func(c *app.Config) { c.Registration.DocumentHosts, c.Registration.AutoPatient = hosts, true })
		if res := s.page(t, maker.client()); res.Status != http.StatusBadRequest || s.lastRefusal(t, maker.client()) != "client-unknown" {
			t.Errorf("%v: %d", hosts, res.Status)
		}
		if n := maker.since(); n != 0 {
			t.Errorf("%v: %d fetches", hosts, n)
		}
		res := s.do(t, kit.Request{URL: s.Issuer + "/.well-known/openid-configuration"})
		if told := strings.Contains(string(res.Body), `"client_id_metadata_document_supported":true`); told != (hosts != nil) {
			t.Errorf("%v: discovery says %v", hosts, told)
		}
	}
}
