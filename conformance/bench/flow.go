package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// walk is one person's browser and app, ready to walk the code flow again and
// again: authorization request, redirects, consent page, consent form, code,
// token (SMART App Launch, RFC 6749 §4.1 with PKCE).
type walk struct {
	agent    *agent
	side     *side
	clients  *clients
	start    string
	verifier string
	// ticks is the encoded consent form but for the two fields that change.
	ticks string
	app   *conn
	basic string
}

// newWalk makes a walk over the signed-in browser a. It walks once to learn the
// form.
func (r *rig) newWalk(s *side, a *agent, client, scope string) (*walk, error) {
	w := &walk{
		agent: a, side: s, clients: r.clients, verifier: r.ids.Secret(),
		app: &conn{addr: s.addr, clock: r.clock}, basic: basicHeader(client, r.clients.secret),
	}
	w.start = r.asks(s, client, scope, w.verifier)
	got, path, err := a.open(w.start)
	if err != nil {
		return nil, err
	}
	f, err := a.formWith(got, path, func(f *kit.Form) bool { return f.Button("allow") != nil })
	if err != nil {
		return nil, err
	}
	f.Tick("keep", strings.Contains(scope, "offline_access"))
	values := f.Values(f.Button("allow"))
	values.Del("csrf")
	values.Del("handle")
	w.ticks = values.Encode()
	_, err = w.tokens()
	return w, err
}

// asks gives the address of an authorization request.
func (r *rig) asks(s *side, client, scope, verifier string) string {
	return s.authorizePath + "?" + url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {appRedirect}, "scope": {scope},
		"state": {r.ids.Secret()}, "nonce": {r.ids.Secret()}, "aud": {s.audience},
		"code_challenge": {kit.Challenge(verifier)}, "code_challenge_method": {"S256"},
	}.Encode()
}

// consentPage gives the floor the consent page that the server shows.
func (r *rig) consentPage(cfg *floorConfig) error {
	a, err := r.browser(r.mandate, 0)
	if err != nil {
		return err
	}
	defer a.conn.close()
	got, _, err := a.open(r.asks(r.mandate, es256ID, leanScope, r.ids.Secret()))
	if err != nil {
		return err
	}
	cfg.Consent, cfg.CSRF, cfg.Handle = string(got.body), hidden(got.body, "csrf"), hidden(got.body, "handle")
	if cfg.CSRF == "" || cfg.Handle == "" {
		return refused("no consent form", got)
	}
	cfg.PageHeader = map[string]string{}
	for name, values := range got.header {
		if name != "Date" && name != "Content-Length" && name != "Set-Cookie" {
			cfg.PageHeader[name] = values[0]
		}
	}
	return nil
}

// browser gives a signed-in browser for the worker i. Workers of one person
// share the session.
func (r *rig) browser(s *side, i int) (*agent, error) {
	a := newAgent(s, r.clock)
	if len(s.people) == 0 {
		return a, nil
	}
	p := s.people[i%len(s.people)]
	key := s.name + " " + p.Username
	if r.sessions[key] == nil {
		if err := a.signIn(s, p); err != nil {
			return nil, err
		}
		r.sessions[key] = a.cookies
	}
	a.cookies = maps.Clone(r.sessions[key])
	return a, nil
}

// once walks the flow and wants an id_token.
func (w *walk) once(context.Context) error {
	body, err := w.tokens()
	if err == nil && member(body, "id_token") == "" {
		err = errors.New("no id_token")
	}
	return err
}

// tokens walks the flow and gives the token endpoint's answer, valid until the
// next walk.
func (w *walk) tokens() ([]byte, error) {
	got, path, err := w.agent.open(w.start)
	if err != nil {
		return nil, err
	}
	handle, csrf := hidden(got.body, "handle"), hidden(got.body, "csrf")
	if got.status != http.StatusOK || handle == "" {
		return nil, refused("no consent form", got)
	}
	got, err = w.agent.send(http.MethodPost, path, w.ticks+"&csrf="+url.QueryEscape(csrf)+"&handle="+url.QueryEscape(handle))
	if err != nil {
		return nil, err
	}
	back, err := url.Parse(got.header.Get("Location"))
	if err != nil {
		return nil, err
	}
	code := back.Query().Get("code")
	if code == "" {
		return nil, fmt.Errorf("no code: status %d, error %q", got.status, back.Query().Get("error"))
	}
	return w.redeem(code)
}

func (w *walk) redeem(code string) ([]byte, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {appRedirect}, "code_verifier": {w.verifier},
	}
	got, err := w.app.send(request{method: http.MethodPost, path: w.side.tokenPath, host: w.side.host, header: []string{w.basic}, form: form.Encode()}.bytes())
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, refused("the code was not redeemed", got)
	}
	return got.body, nil
}

// basicHeader gives the header line of RFC 6749 §2.3.1.
func basicHeader(id, secret string) string {
	pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}
