package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// side is one server that is measured.
type side struct {
	name string
	// addr is dialled; host is what the requests call it, scheme what the pages
	// call it by, http when "".
	addr, host, scheme string
	// pid is the process whose time and memory count.
	pid int
	// token is the URL of the token endpoint, the audience of assertions.
	token string
	// paths of the endpoints.
	tokenPath, authorizePath, introspectPath, signInPath string
	// counts says that it tells what it has allocated.
	counts bool
	// bearer says that it wants an access token of mandate's for a record.
	bearer bool
	// documents are paths of bytes that never change.
	documents []string
	// fhir is the path of the FHIR base, audience its URL.
	fhir, audience string
	// people may sign in with a password alone. None means that no log-in is
	// asked for.
	people []kit.Person
}

// floorPerson signs in at the floor.
func floorPerson() kit.Person { return kit.Person{Username: "floor", Password: "floor-password"} }

// hostOf splits a URL into what to dial and what to call it. Names of this
// machine are dialled by number, so that no look-up is measured.
func hostOf(address string) (addr, host string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", err
	}
	if u.Host == "" {
		return "", "", fmt.Errorf("%q is not a URL with a host", address)
	}
	if u.Hostname() == "localhost" {
		return "127.0.0.1:" + u.Port(), u.Host, nil
	}
	return u.Host, u.Host, nil
}

// mandateSide reads what a started server tells about itself.
func mandateSide(ctx context.Context, ready kit.Ready, pid int) (*side, error) {
	t, err := kit.NewTarget(ctx, ready)
	if err != nil {
		return nil, err
	}
	s := &side{name: "mandate", pid: pid, counts: true, bearer: true, token: t.Config.Token, audience: t.FHIRBase}
	if s.addr, s.host, err = hostOf(ready.Issuer); err != nil {
		return nil, err
	}
	home, err := pathOf(t.Config.Management)
	if err != nil {
		return nil, err
	}
	s.signInPath = home
	for into, address := range map[*string]string{
		&s.tokenPath: t.Config.Token, &s.authorizePath: t.Config.Authorize, &s.introspectPath: t.Config.Introspect, &s.fhir: t.FHIRBase,
	} {
		if *into, err = pathOf(address); err != nil {
			return nil, err
		}
	}
	keys, err := pathOf(t.Config.JWKSURI)
	if err != nil {
		return nil, err
	}
	s.documents = []string{s.fhir + "/.well-known/smart-configuration", "/.well-known/openid-configuration", keys}
	for _, p := range ready.People {
		if p.Role == "patient" && p.TOTPSecret == "" {
			s.people = append(s.people, p)
		}
	}
	if len(s.people) == 0 {
		return nil, fmt.Errorf("the ready file has no patient who signs in with a password alone")
	}
	return s, nil
}

// upstreamSide gives the FHIR server behind, asked directly.
func upstreamSide(ready kit.Ready, pid int) (*side, error) {
	s := &side{name: "upstream", pid: pid}
	var err error
	if s.addr, s.host, err = hostOf(ready.Upstream); err != nil {
		return nil, err
	}
	s.fhir, err = pathOf(ready.Upstream)
	return s, err
}

// floorSide gives the floor that listens at an address.
func floorSide(addr string, pid int, like *side) *side {
	return &side{
		name: "floor", counts: true, addr: addr, host: addr, pid: pid, token: like.token, documents: like.documents, audience: like.audience,
		tokenPath: "/token", authorizePath: "/authorize", introspectPath: "/introspect", signInPath: "/signin",
		people: []kit.Person{floorPerson()},
	}
}

// signInForm opens the log-in page and gives the form filled in.
func (a *agent) signInForm(s *side, p kit.Person) (path, form string, err error) {
	got, path, err := a.open(s.signInPath)
	if err != nil {
		return "", "", err
	}
	f, err := a.formWith(got, path, func(f *kit.Form) bool { return f.Field("password") != nil })
	if err != nil {
		return "", "", err
	}
	f.Set("username", p.Username)
	f.Set("password", p.Password)
	path, err = pathOf(f.Action)
	return path, f.Values(nil).Encode(), err
}

// signIn signs a person in.
func (a *agent) signIn(s *side, p kit.Person) error {
	path, form, err := a.signInForm(s, p)
	if err != nil {
		return err
	}
	got, err := a.send(http.MethodPost, path, form)
	if err == nil && got.status != http.StatusSeeOther {
		err = refused(p.Username+" was not signed in", got)
	}
	return err
}

// formWith gives the first form of a page that fits.
func (a *agent) formWith(got answer, path string, fits func(*kit.Form) bool) (*kit.Form, error) {
	base, err := url.Parse(a.origin + path)
	if err != nil {
		return nil, err
	}
	forms, err := kit.ParseForms(got.body, base)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(forms, fits)
	if at < 0 {
		return nil, refused("no such form at "+strings.SplitN(path, "?", 2)[0], got)
	}
	return forms[at], nil
}
