package kit

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
)

// Browser is a browser without a screen: it keeps cookies, follows redirects
// and sends forms. It stops where a redirect leads to an app.
type Browser struct {
	t      *Target
	client *http.Client
	// Person is who signs in when a page asks.
	Person Person
	mu     sync.Mutex
}

// Page is what a browser shows at the end of a navigation.
type Page struct {
	*Response
	Forms []*Form
	// Back is the redirect to the app that ended the navigation, nil when a
	// page is shown.
	Back *url.URL
	// Trail holds each answer on the way, the last one included.
	Trail []*Response
}

// NewBrowser opens a browser with no cookies for a person.
func (t *Target) NewBrowser(p Person) *Browser {
	jar, _ := cookiejar.New(nil) // New fails for no options
	c := *t.HTTP
	c.Jar = jar
	return &Browser{t: t, client: &c, Person: p}
}

// Browser gives the browser in which a person signed in before, or a new one.
// Several rows share it, as people share theirs among apps.
func (t *Target) Browser(username string) *Browser {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.browsers[username]
	if b == nil {
		b = t.NewBrowser(t.Person(username))
		t.browsers[username] = b
	}
	return b
}

// Forget closes the browsers that are kept for people and drops kept tokens.
func (t *Target) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.browsers)
	clear(t.tokens)
}

// Open goes to a URL, as by typing it.
func (b *Browser) Open(ctx context.Context, address, app string) (*Page, error) {
	return b.navigate(ctx, Request{Method: http.MethodGet, URL: address}, app)
}

// Submit sends a form with a button pressed.
func (b *Browser) Submit(ctx context.Context, f *Form, pressed *Button, app string) (*Page, error) {
	return b.Post(ctx, f, f.Values(pressed), app)
}

// Post sends values to where a form leads, from the form's own site.
func (b *Browser) Post(ctx context.Context, f *Form, values url.Values, app string) (*Page, error) {
	u, err := url.Parse(f.Action)
	if err != nil {
		return nil, err
	}
	if f.Method == http.MethodGet {
		u.RawQuery = values.Encode()
		return b.Open(ctx, u.String(), app)
	}
	header := http.Header{"Origin": {u.Scheme + "://" + u.Host}, "Sec-Fetch-Site": {"same-origin"}}
	return b.navigate(ctx, Request{URL: f.Action, Form: values, Header: header}, app)
}

// Raw sends one request with the browser's cookies and follows nothing.
func (b *Browser) Raw(ctx context.Context, r Request) (*Response, error) {
	req, err := r.build(ctx)
	if err != nil {
		return nil, err
	}
	return exchange(b.client, req)
}

// Cookies gives the Cookie header that the browser would send to an address.
func (b *Browser) Cookies(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	var out []string
	for _, k := range b.client.Jar.Cookies(u) {
		out = append(out, k.Name+"="+k.Value)
	}
	return strings.Join(out, "; ")
}

// Plant puts a cookie into the browser, as an attacker on a shared machine may.
func (b *Browser) Plant(address, name, value string) error {
	u, err := url.Parse(address)
	if err == nil {
		b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
	}
	return err
}

// navigate follows redirects until a page or the app at the URI app.
func (b *Browser) navigate(ctx context.Context, r Request, app string) (*Page, error) {
	p := &Page{}
	for range 20 {
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		res, err := b.Raw(ctx, r)
		if err != nil {
			return nil, err
		}
		p.Response, p.Trail = res, append(p.Trail, res)
		here, err := url.Parse(res.URL)
		if err != nil {
			return nil, err
		}
		to := res.Header.Get("Location")
		if res.Status < 300 || res.Status > 399 || to == "" {
			p.Forms, err = ParseForms(res.Body, here)
			return p, err
		}
		next, err := here.Parse(to)
		if err != nil {
			return nil, err
		}
		if app != "" && leadsTo(next, app) {
			p.Back = next
			return p, nil
		}
		r = Request{Method: http.MethodGet, URL: next.String()}
	}
	return nil, fmt.Errorf("more than 20 redirects, the last to %s", p.URL)
}

// leadsTo reports whether a URL is a redirect URI with a query added.
func leadsTo(u *url.URL, app string) bool {
	rest, ok := strings.CutPrefix(u.String(), app)
	return ok && (rest == "" || strings.HasPrefix(rest, "?") || strings.HasPrefix(rest, "&"))
}

// form gives the first form of a page that fits.
func (p *Page) form(fits func(*Form) bool) *Form {
	for _, f := range p.Forms {
		if fits(f) {
			return f
		}
	}
	return nil
}

// FormWith gives the first form with a control of that name, nil if none has.
func (p *Page) FormWith(field string) *Form {
	return p.form(func(f *Form) bool { return f.Field(field) != nil })
}

// SignInForm gives the form that asks for a password, nil if there is none.
func (p *Page) SignInForm() *Form {
	return p.form(func(f *Form) bool { return f.Secret() != nil })
}

// ConsentForm gives the form that asks to allow or deny, nil if there is none.
func (p *Page) ConsentForm() *Form {
	return p.form(func(f *Form) bool { return f.Button("allow") != nil && f.Button("deny") != nil })
}

// Text is what a person reads on the page.
func (p *Page) Text() string { return Text(p.Body) }

// SignIn signs the person in at an address that asks for it, such as the page
// of connected apps, and gives the page behind.
func (b *Browser) SignIn(ctx context.Context, address string) (*Page, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, err := b.Open(ctx, address, "")
	if err != nil {
		return nil, err
	}
	return b.pass(ctx, p, "")
}

// SignOut presses the button that ends the session, on the first of the pages
// that has one.
func (b *Browser) SignOut(ctx context.Context, pages ...string) error {
	for _, at := range pages {
		p, err := b.Open(ctx, at, "")
		if err != nil {
			return err
		}
		for _, f := range p.Forms {
			if strings.Contains(f.Action, "signout") {
				_, err := b.Submit(ctx, f, nil, "")
				return err
			}
		}
	}
	return fmt.Errorf("no page of %v has a button to sign out", pages)
}

// pass goes through the log-in pages, if there are any.
func (b *Browser) pass(ctx context.Context, p *Page, app string) (*Page, error) {
	for range 4 {
		var pressed *Button
		f := p.SignInForm()
		switch {
		case f != nil:
			if who := f.Who(); who != nil {
				who.Value = b.Person.Username
			}
			f.Secret().Value = b.Person.Password
		case p.FormWith("code") != nil:
			f = p.FormWith("code")
			if err := b.freshCode(ctx, f); err != nil {
				return nil, err
			}
		default:
			return p, nil
		}
		pressed = plainButton(f)
		next, err := b.Submit(ctx, f, pressed, app)
		if err != nil {
			return nil, err
		}
		if next.Back == nil && next.Status >= 400 {
			return next, fmt.Errorf("%s was not signed in: %s", b.Person.Username, next.Response)
		}
		p = next
	}
	return p, nil
}

// freshCode types the code of now. A code works once, so where the clock can
// be moved it is moved past the last one.
func (b *Browser) freshCode(ctx context.Context, f *Form) error {
	if b.t.Has()&Clock != 0 {
		if err := b.t.Advance(ctx, codeLife); err != nil {
			return err
		}
	}
	code, err := TOTP(b.Person.TOTPSecret, b.t.Now())
	if err != nil {
		return err
	}
	f.Set("code", code)
	return nil
}

// plainButton is the button that goes on: the first without a value, or the
// first.
func plainButton(f *Form) *Button {
	for i, x := range f.Buttons {
		if x.Name == "" {
			return &f.Buttons[i]
		}
	}
	if len(f.Buttons) > 0 {
		return &f.Buttons[0]
	}
	return nil
}
