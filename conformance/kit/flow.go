package kit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// codeLife is the life of one TOTP code with a margin.
const codeLife = 31 * time.Second

// Visit says what a person does with an authorization request.
type Visit struct {
	// Browser is used when set; otherwise the one kept for Person.
	Browser *Browser
	// Person is a username.
	Person string
	// Patient is the id or the visible name of the record to choose; empty
	// takes the first.
	Patient string
	// Consent changes the ticks of the consent form; nil leaves them.
	Consent func(*Form)
	// Deny presses "do not allow".
	Deny bool
	// App is where the app is, for a request that does not tell.
	App string
	// Post sends the authorization request as a form (AZ-02).
	Post bool
}

// Answer is how an authorization request ended.
type Answer struct {
	// Query is what the app got; nil when a page was shown instead.
	Query url.Values
	// Last is the last page or redirect.
	Last *Page
	// ConsentPage is the consent page when one was shown, PatientPage the
	// choice of the record.
	ConsentPage *Page
	PatientPage *Page
	// Steps names the pages that were shown: signin, code, patient, encounter,
	// consent.
	Steps []string
	trail []*Response
}

// Trail gives every answer of the server on the way.
func (a *Answer) Trail() []*Response { return a.trail }

// Code gives the authorization code, "" without one.
func (a *Answer) Code() string { return a.Query.Get("code") }

// String tells how it ended.
func (a *Answer) String() string {
	switch {
	case a.Query.Has("error"):
		return "error=" + a.Query.Get("error") + " " + a.Query.Get("error_description")
	case a.Code() != "":
		return "a code"
	case a.Query != nil:
		return "a redirect without code and error"
	default:
		return "a page: " + a.Last.Response.String()
	}
}

// NewVerifier makes a PKCE code verifier.
func (t *Target) NewVerifier() string { return t.Random() }

// Challenge gives the S256 challenge of a verifier (RFC 7636 §4.2).
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// AuthorizeRequest gives a valid authorization request of a client.
func (t *Target) AuthorizeRequest(c Client, scope, verifier string) url.Values {
	v := url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "scope": {scope}, "state": {t.Random()},
		"aud": {t.FHIRBase}, "code_challenge": {Challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	if len(c.RedirectURIs) > 0 {
		v.Set("redirect_uri", c.RedirectURIs[0])
	}
	return v
}

// Authorize sends an authorization request through a browser and walks its
// pages as the visit says. A page that is neither a step nor the app ends it:
// Answer.Query is nil then.
func (t *Target) Authorize(ctx context.Context, req url.Values, v Visit) (*Answer, error) {
	b := v.Browser
	if b == nil {
		b = t.Browser(v.Person)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	app := cmp.Or(v.App, req.Get("redirect_uri"))
	p, err := b.enter(ctx, t.Config.Authorize, req, v.Post, app)
	if err != nil {
		return nil, err
	}
	return b.walk(ctx, p, v, app)
}

// walk answers page after page.
func (b *Browser) walk(ctx context.Context, p *Page, v Visit, app string) (*Answer, error) {
	a := &Answer{trail: p.Trail}
	for range 12 {
		if p.Back != nil {
			a.Query, a.Last = p.Back.Query(), p
			return a, nil
		}
		a.Last = p
		next, err := b.step(ctx, p, v, a, app)
		if err != nil || next == nil {
			return a, err
		}
		p = next
		a.trail = append(a.trail, p.Trail...)
	}
	return a, fmt.Errorf("the request does not end; steps %v", a.Steps)
}

func (b *Browser) enter(ctx context.Context, endpoint string, req url.Values, post bool, app string) (*Page, error) {
	if post {
		// The form lies on the app's site, so the browser says cross-site and
		// sends no Lax cookies.
		stranger := b.t.NewBrowser(b.Person)
		res, err := stranger.Raw(ctx, Request{URL: endpoint, Form: req, Header: http.Header{
			"Origin": {"https://app.example"}, "Sec-Fetch-Site": {"cross-site"},
		}})
		if err != nil {
			return nil, err
		}
		to, err := url.Parse(res.Header.Get("Location"))
		if err != nil || res.Header.Get("Location") == "" {
			return &Page{Response: res, Trail: []*Response{res}}, err
		}
		base, err := url.Parse(endpoint)
		if err != nil {
			return nil, err
		}
		if next := base.ResolveReference(to); leadsTo(next, app) {
			return &Page{Response: res, Trail: []*Response{res}, Back: next}, nil
		}
		p, err := b.Open(ctx, base.ResolveReference(to).String(), app)
		if err == nil {
			p.Trail = append([]*Response{res}, p.Trail...)
		}
		return p, err
	}
	return b.Open(ctx, withQuery(endpoint, req), app)
}

func withQuery(endpoint string, v url.Values) string { return endpoint + "?" + v.Encode() }

// step answers one page. It gives nil where the page is not a step.
func (b *Browser) step(ctx context.Context, p *Page, v Visit, a *Answer, app string) (*Page, error) {
	switch {
	case p.SignInForm() != nil:
		a.Steps = append(a.Steps, "signin")
		return b.pass(ctx, p, app)
	case p.FormWith("code") != nil:
		a.Steps = append(a.Steps, "code")
		return b.pass(ctx, p, app)
	case p.FormWith("patient") != nil || p.FormWith("q") != nil:
		a.Steps, a.PatientPage = append(a.Steps, "patient"), p
		return b.choosePatient(ctx, p, v, app)
	case p.FormWith("encounter") != nil:
		a.Steps = append(a.Steps, "encounter")
		f := p.FormWith("encounter")
		f.Choose("encounter", f.Field("encounter").Value)
		return b.Submit(ctx, f, f.Button("choose"), app)
	case p.ConsentForm() != nil:
		a.Steps, a.ConsentPage = append(a.Steps, "consent"), p
		f := p.ConsentForm()
		if v.Deny {
			return b.Submit(ctx, f, f.Button("deny"), app)
		}
		if v.Consent != nil {
			v.Consent(f)
		}
		return b.Submit(ctx, f, f.Button("allow"), app)
	default:
		return nil, nil
	}
}

// choosePatient picks a record by the name that the page shows, searching for
// it where the page offers a search.
func (b *Browser) choosePatient(ctx context.Context, p *Page, v Visit, app string) (*Page, error) {
	name := v.Patient
	if known := b.t.patientName(ctx, v.Patient); known != "" {
		name = known
	}
	f := p.FormWith("patient")
	if f == nil {
		search := p.FormWith("q")
		search.Set("q", name)
		found, err := b.Submit(ctx, search, nil, app)
		if err != nil {
			return nil, err
		}
		if f = found.FormWith("patient"); f == nil {
			return nil, fmt.Errorf("the search for %q finds no patient", name)
		}
	}
	switch {
	case name != "" && !f.Choose("patient", name):
		return nil, fmt.Errorf("%q is not offered to %s", name, b.Person.Username)
	case name == "":
		f.Choose("patient", f.Field("patient").Value)
	}
	return b.Submit(ctx, f, f.Button("choose"), app)
}

// patientName gives the name under which people know a patient id, from the
// record behind the server; "" when it cannot be known.
func (t *Target) patientName(ctx context.Context, id string) string {
	if id == "" || t.Upstream == "" {
		return ""
	}
	res, err := t.Do(ctx, Request{URL: t.Upstream + "/Patient/" + url.PathEscape(id)})
	if err != nil || res.Status != http.StatusOK {
		return ""
	}
	names, _ := res.JSON()["name"].([]any)
	for _, raw := range names {
		name, _ := raw.(map[string]any)
		given, _ := name["given"].([]any)
		if len(given) > 0 {
			return fmt.Sprint(given[0])
		}
	}
	return ""
}
