package explain

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/gateway"
)

// Reader gives grants with what backs them, clients and events.
type Reader interface {
	GrantByID(ctx context.Context, tenant, id string) (oauth.Grant, error)
	ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
	TokenStanding(ctx context.Context, tenant string, t oauth.TokenRef) (revoked bool, st oauth.Standing, err error)
	StoredAudits(ctx context.Context, tenant string, ids []string) ([]audit.Stored, error)
}

// Judge decides as the gateway does; gateway.Gateway is one.
type Judge interface {
	Judge(ctx context.Context, q gateway.Question) (gateway.Judgement, error)
}

// Service answers questions about decisions of one tenant. It is safe for
// concurrent use.
type Service struct {
	Tenant string
	// Base is the FHIR base, which may stand before the path of a request; ""
	// where it is not known.
	Base  string
	Read  Reader
	Judge Judge
	// Verify gives what an access token stands for; nil takes no tokens.
	Verify   func(ctx context.Context, tenant, raw string) (gateway.Bearer, error)
	Recorder audit.Recorder
	Clock    clock.Clock
}

// Question names one of Grant, Token, Client (one that acts for itself) and Event.
// Request, such as "GET /Observation?category=laboratory", goes with the first
// three.
type Question struct {
	Grant, Token, Client, Event string
	Request                     string
}

// Ask answers a question and records that by asked it: by states who, from where
// and when. Errors: errs.Invalid for a question that cannot be understood;
// errs.NotFound for what it names; errs.Upstream; errs.Unavailable.
func (s *Service) Ask(ctx context.Context, q Question, by audit.Event) (Explanation, error) {
	out, err := s.answer(ctx, q)
	if err != nil {
		return Explanation{}, err
	}
	by.Tenant, by.Kind, by.Action, by.Outcome = s.Tenant, audit.AuditRead, "R", audit.Success
	by.GrantID, by.ClientID, by.Patient, by.Query, by.Count = out.Grant, out.Client, out.Patient, "explain="+url.QueryEscape(out.asked), 1
	if q.Event != "" {
		by.Query = "explain=" + url.QueryEscape(q.Event)
	}
	if err := s.Recorder.Record(ctx, by); err != nil {
		return Explanation{}, errs.Wrap(err, errs.Unavailable, "audit-unavailable", "The request cannot be recorded at the moment.")
	}
	return out, nil
}

func (s *Service) answer(ctx context.Context, q Question) (Explanation, error) {
	named := 0
	for _, text := range []string{q.Grant, q.Token, q.Client, q.Event} {
		if text != "" {
			named++
		}
	}
	if named != 1 || (q.Event == "") == (q.Request == "") {
		return Explanation{}, errs.New(errs.Invalid, "explain-what",
			`Name a grant, a token or a client together with a request such as "GET /Observation?category=laboratory", or name an event alone.`)
	}
	if q.Event != "" {
		return s.event(ctx, q.Event)
	}
	req, err := Parse(s.Base, q.Request)
	if err != nil {
		return Explanation{}, err
	}
	b, ended, err := s.bearer(ctx, q)
	if err != nil {
		return Explanation{}, err
	}
	return s.explain(ctx, b, ended, req)
}

// Parse reads a request as somebody writes it down, such as
// "GET /Observation?category=laboratory", with the FHIR base before the path or
// without. A write has the least body that it can have: what is written is judged
// when it is sent. Errors: those of rest.Parse.
func Parse(base, text string) (rest.Request, error) {
	method, address, found := strings.Cut(strings.TrimSpace(text), " ")
	if !found {
		method, address = http.MethodGet, method
	}
	address = strings.TrimPrefix(strings.TrimSpace(address), base)
	path, query, _ := strings.Cut("/"+strings.TrimPrefix(address, "/"), "?")
	in := rest.Incoming{Method: strings.ToUpper(method), Path: path, RawQuery: query, Header: http.Header{}}
	typ, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case in.Method == http.MethodPatch:
		in.Header.Set("Content-Type", "application/json-patch+json")
		in.Body = []byte(`[{"op":"test","path":"/resourceType","value":"` + typ + `"}]`)
	case in.Method == http.MethodPut && !strings.ContainsAny(typ+id, `"\`):
		in.Header.Set("Content-Type", "application/fhir+json")
		in.Body = []byte(`{"resourceType":"` + typ + `","id":"` + id + `"}`)
	case in.Method == http.MethodPost && !strings.ContainsAny(typ+id, `"\`) && !strings.ContainsAny(id, "_$") && !strings.HasPrefix(typ, "$"):
		in.Header.Set("Content-Type", "application/fhir+json")
		in.Body = []byte(`{"resourceType":"` + typ + `"}`)
	}
	return rest.Parse(in)
}

// ended is why a token, grant or client gives nothing at all; zero while it does.
type ended struct{ rule, code, sentence string }

// bearer gives whose request it would be, with what ended it. Errors:
// errs.NotFound; errs.Unavailable.
func (s *Service) bearer(ctx context.Context, q Question) (gateway.Bearer, ended, error) {
	switch {
	case q.Grant != "":
		return s.ofGrant(ctx, q.Grant)
	case q.Client != "":
		return s.ofClient(ctx, q.Client)
	case s.Verify == nil:
		return gateway.Bearer{}, ended{}, errs.New(errs.Invalid, "explain-token", "A token can be asked about only where the server runs: name its grant.")
	}
	b, err := s.Verify(ctx, s.Tenant, q.Token)
	if e := errs.As(err); errs.Is(err, errs.Unauthenticated) {
		return b, ended{"token", e.Code, e.Msg}, nil
	}
	return b, ended{}, err
}

// Holder gives who holds a grant; ok is false for one that is unknown or gives
// nothing any more. Errors: errs.Unavailable.
func (s *Service) Holder(ctx context.Context, grant string) (b gateway.Bearer, ok bool, err error) {
	b, end, err := s.ofGrant(ctx, grant)
	if errs.Is(err, errs.NotFound) {
		return b, false, nil
	}
	return b, err == nil && end.code == "", err
}

func (s *Service) ofGrant(ctx context.Context, id string) (gateway.Bearer, ended, error) {
	g, err := s.Read.GrantByID(ctx, s.Tenant, id)
	if err != nil {
		return gateway.Bearer{}, ended{}, err
	}
	_, st, err := s.Read.TokenStanding(ctx, s.Tenant, oauth.TokenRef{ClientID: g.ClientID, GrantID: g.ID})
	if err != nil && !errs.Is(err, errs.NotFound) {
		return gateway.Bearer{}, ended{}, err
	}
	b := gateway.Bearer{Client: st.Client, Grant: g, Scopes: g.Scopes}
	return b, s.whyEnded(g, st), nil
}

// whyEnded tells why no token of a grant is good, in the order in which a token
// is verified.
func (s *Service) whyEnded(g oauth.Grant, st oauth.Standing) ended {
	now := s.Clock.Now()
	switch {
	case st.Client.ID == "" || st.Client.Disabled:
		return ended{"client", "client-disabled", "The app is disabled or deleted: none of its tokens is good."}
	case !g.Revoked.IsZero():
		return ended{"grant", "grant-revoked", "The grant was ended on " + stamp(g.Revoked) + " (" + g.Reason + ")."}
	case !g.Live(now):
		return ended{"grant", "grant-ended", "The grant came to its end on " + stamp(g.Ends) + "."}
	case !st.Live(now):
		return ended{"grant", "grant-revoked", "The grant was ended with all other grants to the app."}
	case !st.PersonActive:
		return ended{"person", "person-disabled", "The account of the person is disabled: nothing that it allowed is good."}
	}
	return ended{}
}

func (s *Service) ofClient(ctx context.Context, id string) (gateway.Bearer, ended, error) {
	c, err := s.Read.ClientByID(ctx, s.Tenant, id)
	if err != nil {
		return gateway.Bearer{}, ended{}, err
	}
	if !c.ForItself() {
		return gateway.Bearer{}, ended{}, errs.New(errs.Invalid, "explain-client", "This app acts for people, not for itself: name a grant.")
	}
	b := gateway.Bearer{Client: c, Scopes: c.Scopes, System: true}
	if c.Disabled {
		return b, ended{"client", "client-disabled", "The app is disabled or deleted: none of its tokens is good."}, nil
	}
	return b, ended{}, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
