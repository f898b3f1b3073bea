package tiered

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/shelf"
	"github.com/mandate-health/mandate/oauth/udap"
)

// Deps is what a Service works with.
type Deps struct {
	Trust *udap.Trust
	// Base is the FHIR base, by which the server's own certificates name it,
	// Callback the address to which providers send browsers back, Name how the
	// organization calls itself.
	Base, Callback, Name string
	// HTTP reaches providers. It must guard against addresses inside the network
	// and follow no redirect.
	HTTP   *http.Client
	Keys   openid.Keys
	Sealer openid.Sealer
	Clock  clock.Clock
	IDs    ids.Source
	// Development takes plain http to this machine.
	Development bool
}

// Service sends people to their identity provider and reads who came back. It is
// safe for concurrent use.
type Service struct {
	Deps

	mu   sync.Mutex
	kept *shelf.Shelf[string, *kept]
}

// New makes a service.
func New(d Deps) *Service { return &Service{Deps: d} }

// life is that of an assertion and of a statement.
const life = 4 * time.Minute

// get reads a JSON document. Errors: errAway.
func (s *Service) get(ctx context.Context, location string, into any) error {
	if err := (openid.Web{HTTP: s.HTTP}).Get(ctx, location, into); err != nil {
		return errAway(err)
	}
	return nil
}

// post sends a form, or with a media type a body, and reads the JSON of the
// answer. Errors: errAway.
func (s *Service) post(ctx context.Context, location, media string, body []byte, into any) error {
	if err := (openid.Web{HTTP: s.HTTP}).Post(ctx, location, media, body, into, "", ""); err != nil {
		return errAway(err)
	}
	return nil
}

// statement are the claims of this server's software statement (UDP-16, UDP-17).
type statement struct {
	standard
	Name          string   `json:"client_name"`
	RedirectURIs  []string `json:"redirect_uris"`
	Contacts      []string `json:"contacts"`
	LogoURI       string   `json:"logo_uri,omitempty"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	Scope         string   `json:"scope"`
}

// standard are the claims of every JWT that this server sends.
type standard struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	ID       string `json:"jti"`
}

func (s *Service) standard(issuer, audience string) standard {
	now := s.Clock.Now()
	return standard{Issuer: issuer, Subject: issuer, Audience: audience, Issued: now.Unix(), Expires: now.Add(life).Unix(), ID: s.IDs.ID()}
}

// scopes are what is asked of a provider (UDP-32).
const scopes = "openid udap"

// client gives the client_id of this server at a provider, and registers it there
// once an hour: who is registered keeps its client_id (UDP-21). Errors: errAway.
func (s *Service) client(ctx context.Context, p *provider) (string, error) {
	now := s.Clock.Now()
	if have := s.read(p.idp); have.client != "" && now.Before(have.clientUntil) {
		return have.client, nil
	}
	compact, err := udap.Sign(p.cred, statement{
		standard: s.standard(s.Base, p.register), Name: s.Name, RedirectURIs: []string{s.Callback}, Contacts: p.community.Contacts,
		LogoURI: p.community.LogoURI, GrantTypes: []string{"authorization_code"}, ResponseTypes: []string{"code"},
		AuthMethod: "private_key_jwt", Scope: scopes,
	})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]any{"software_statement": compact, "certifications": []string{}, "udap": "1"})
	if err != nil {
		return "", err
	}
	var answer struct {
		ClientID string `json:"client_id"`
	}
	if err := s.post(ctx, p.register, "application/json", body, &answer); err != nil {
		return "", err
	}
	if answer.ClientID == "" {
		return "", errAway(nil)
	}
	s.note(p.idp, true, func(have *kept) { have.client, have.clientUntil = answer.ClientID, now.Add(keepClient) })
	return answer.ClientID, nil
}

// redeem asks for the id_token of a code (UDP-25).
func (s *Service) redeem(ctx context.Context, p *provider, a attempt, code string) (string, error) {
	compact, err := udap.Sign(p.cred, s.standard(a.ClientID, p.token))
	if err != nil {
		return "", err
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.Callback}, "code_verifier": {a.Verifier},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {compact}, "udap": {"1"},
	}
	var answer struct {
		IDToken string `json:"id_token"`
	}
	err = s.post(ctx, p.token, "application/x-www-form-urlencoded", []byte(form.Encode()), &answer)
	if err == nil && strings.Count(answer.IDToken, ".") != 2 {
		err = errAway(nil)
	}
	return answer.IDToken, err
}

// errFailed is what an app is told of a log-in that could not be finished
// (UDP-34); the cause goes to the log of this server only.
func errFailed(cause error) error {
	return errs.Wrap(cause, errs.Internal, "idp-answer", "The identity provider's answer cannot be accepted.")
}
