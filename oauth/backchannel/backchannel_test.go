package backchannel_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/backchannel"
)

// world is one person with grants of two sessions.
type world struct {
	clients map[string]oauth.Client
	left    []jobs.Job
}

func (w *world) SessionByHash(_ context.Context, _, hash string) (identity.Session, error) {
	if hash != "h1" {
		return identity.Session{}, errs.New(errs.NotFound, "session-not-found", "")
	}
	return identity.Session{Hash: hash, PersonID: "rosa"}, nil
}

func (w *world) GrantsOfPerson(context.Context, string, string) (out []oauth.Grant, _ error) {
	for id := range w.clients {
		out = append(out, oauth.Grant{ClientID: id, PersonID: "rosa", SessionHash: "h1"}, oauth.Grant{ClientID: id, PersonID: "rosa", SessionHash: "h1"})
	}
	return append(out, oauth.Grant{ClientID: "earlier", PersonID: "rosa", SessionHash: "h0"}, oauth.Grant{ClientID: "gone", SessionHash: "h1"}), nil
}

func (w *world) ClientByID(_ context.Context, _, id string) (oauth.Client, error) {
	c, ok := w.clients[id]
	if !ok {
		return c, errs.New(errs.NotFound, "client-not-found", "")
	}
	return c, nil
}

func (w *world) AddJob(_ context.Context, j jobs.Job, _ time.Duration) error {
	w.left = append(w.left, j)
	return nil
}

// Each app of the session that registered an address is told once, and nobody
// else.
func TestWhoIsTold(t *testing.T) {
	w := &world{clients: map[string]oauth.Client{
		"told":     {ID: "told", BackchannelLogoutURI: "https://told.example/out"},
		"silent":   {ID: "silent"},
		"disabled": {ID: "disabled", BackchannelLogoutURI: "https://off.example/out", Disabled: true},
	}}
	s := &backchannel.Service{Read: w}
	for _, hash := range []string{"h1", "nobody"} {
		if err := s.Ended(t.Context(), jobs.Job{Tenant: "acme", Body: hash}); err != nil {
			t.Error(err)
		}
	}
	if len(w.left) != 1 || w.left[0].Queue != backchannel.Queue || w.left[0].Tenant != "acme" ||
		!strings.Contains(w.left[0].Body, `"told"`) || !strings.Contains(w.left[0].Body, oauth.SessionID("h1")) || strings.Contains(w.left[0].Body, `"h1"`) {
		t.Errorf("%+v", w.left)
	}
}

// What the app did not say that it heard is told again; what can never be told
// is given up.
func TestUntilItIsHeard(t *testing.T) {
	status := http.StatusBadRequest
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) }))
	w := &world{clients: map[string]oauth.Client{"told": {ID: "told", BackchannelLogoutURI: app.URL}}}
	s := &backchannel.Service{Read: w, Client: app.Client(), Sign: func(_ context.Context, _ string, _ oauth.Client, l backchannel.Leaving, id string) (string, error) {
		return l.SessionID + "." + id, nil
	}}
	job := jobs.Job{ID: "1", Body: `{"client_id":"told","sub":"rosa","sid":"s"}`}
	if err := s.Tell(t.Context(), job); !errs.Is(err, errs.Upstream) {
		t.Error(err)
	}
	status = http.StatusNoContent
	if err := s.Tell(t.Context(), job); err != nil {
		t.Error(err)
	}
	app.Close()
	if err := s.Tell(t.Context(), job); !errs.Is(err, errs.Upstream) {
		t.Error(err)
	}
	if err := s.Tell(t.Context(), jobs.Job{Body: "{"}); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
	if err := s.Tell(t.Context(), jobs.Job{Body: `{"client_id":"removed"}`}); err != nil {
		t.Error(err)
	}
}
