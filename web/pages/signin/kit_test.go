package signin_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/signin"
	"github.com/mandate-health/mandate/web/session"
)

// The handlers and the templates must agree on what is posted where.
func TestTheDrawnFormsPostWhatIsRead(t *testing.T) {
	catalogue, err := words.New()
	if err != nil {
		t.Fatal(err)
	}
	kit, err := pages.New(pages.Deps{Words: catalogue, Log: slog.New(slog.DiscardHandler), HelpPhone: "+1 555 0100"})
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, house: &accounts{live: map[string]account{}}}
	m, err := session.New(session.Deps{PublicURL: "http://localhost:8080", Sessions: b.house, Hasher: ids.Hasher{Key: []byte("k")}, Refuse: b.refuse})
	if err != nil {
		t.Fatal(err)
	}
	half := b.house.begin(identity.Person{ID: "p-elena"}, nil).Secret
	drawn := map[string][]string{
		"/signin?next=%2Fapps": {`action="/signin"`, `name="username"`, `autocomplete="username"`, `name="password"`, `autocomplete="current-password"`, `name="csrf"`, `name="next" value="/apps"`},
		"/staff":               {`action="/staff"`, `name="username"`, `name="password"`, `name="csrf"`},
		"/signin/code":         {`action="/signin/code"`, `name="code"`, `autocomplete="one-time-code"`, `name="csrf"`},
		"/signed-out":          {`href="/signin"`},
	}
	for _, r := range signin.New(signin.Deps{Accounts: b.house, Sessions: m, Pages: kit, Refuse: b.refuse}).Routes() {
		for path, wants := range drawn {
			if r.Method != http.MethodGet || strings.Split(path, "?")[0] != r.Path {
				continue
			}
			req := httptest.NewRequest(http.MethodGet, path, nil)
			if r.Path == "/signin/code" {
				req.AddCookie(&http.Cookie{Name: m.CookieName(), Value: half})
			}
			w := httptest.NewRecorder()
			r.Handler.ServeHTTP(w, req)
			html, err := io.ReadAll(w.Result().Body)
			if err != nil || w.Code != http.StatusOK {
				t.Fatalf("%s: %d %v", path, w.Code, err)
			}
			delete(drawn, path)
			for _, want := range wants {
				if !strings.Contains(string(html), want) {
					t.Errorf("%s lacks %s", path, want)
				}
			}
		}
	}
	if len(drawn) != 0 {
		t.Errorf("not drawn: %v", drawn)
	}
}
