package security

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func sessions() []kit.Row {
	return []kit.Row{
		{ID: "MANDATE SE-13b", Title: "a session cookie that was planted before the log-in is none after it", Needs: kit.Login, Run: sessionFixed},
		{ID: "MANDATE SE-14", Title: "the second factor gives the session another cookie, and the one before opens nothing", Needs: kit.Login, Run: sessionRotated},
		{ID: "MANDATE SE-15", Title: "a log-in that nobody uses ends, on a shared device after minutes", Needs: kit.Login | kit.Clock, Run: sessionIdle},
		{ID: "MANDATE SE-16", Title: "a session cookie in another browser opens nothing, and from then on nothing anywhere", Needs: kit.Login, Run: sessionCopied},
		{ID: "MANDATE SE-17d", Title: "signing out everywhere else ends copies of session, refresh token and calls", Needs: kit.Login | kit.Symmetric, Run: signedOutElsewhere},
		{ID: "MANDATE SE-20", Title: "no page of a person is kept by the browser, nor what is typed there", Needs: kit.Login, Run: pagesNotKept},
		{ID: "MANDATE SM-01", Title: "signing out of a shared device clears what the browser keeps", Needs: kit.Login, Run: sharedCleared},
		{ID: "MANDATE SM-02", Title: "a password alone opens nothing to staff and to people who help others", Needs: kit.Login | kit.Proxies, Run: passwordAlone},
		{ID: "MANDATE AS-03", Title: "an unknown account is answered like a known one", Needs: kit.Login, Run: accountsAlike},
	}
}

// sessionCookie gives the cookie of a browser's log-in.
func sessionCookie(t *kit.Target, b *kit.Browser) (name, value string) {
	for _, c := range strings.Split(b.Cookies(t.Config.Management), "; ") {
		if name, value, _ = strings.Cut(c, "="); strings.Contains(name, "session") {
			return name, value
		}
	}
	return "", ""
}

// entered gives a browser of its own in which a person signed in.
func entered(ctx context.Context, t *kit.Target, p kit.Person) (*kit.Browser, *kit.Page, error) {
	b := t.NewBrowser(p)
	page, err := b.SignIn(ctx, t.Config.Management)
	return b, page, err
}

// letIn reports whether a browser sees a page that everybody has who is signed in.
func letIn(ctx context.Context, t *kit.Target, b *kit.Browser) (bool, error) {
	p, err := b.Open(ctx, t.Issuer+"/devices", "")
	return err == nil && p.Status == http.StatusOK && p.SignInForm() == nil && p.FormWith("code") == nil, err
}

// password fills in the sign-in form and gives the answer, followed no further.
func password(ctx context.Context, t *kit.Target, b *kit.Browser, more url.Values) (*kit.Response, error) {
	page, err := b.Open(ctx, t.Config.Management, "")
	if err != nil {
		return nil, err
	}
	f := page.SignInForm()
	if f == nil {
		return page.Response, nil
	}
	f.Who().Value, f.Secret().Value = b.Person.Username, b.Person.Password
	v := f.Values(nil)
	for name, values := range more {
		v[name] = values
	}
	u, err := url.Parse(f.Action)
	if err != nil {
		return nil, err
	}
	return b.Raw(ctx, kit.Request{Method: http.MethodPost, URL: f.Action, Form: v, Header: http.Header{
		"Origin": {u.Scheme + "://" + u.Host}, "Sec-Fetch-Site": {"same-origin"},
	}})
}

func sessionFixed(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	b, _, err := entered(ctx, t, t.Person(t.Patient()))
	if err != nil {
		return err
	}
	name, own := sessionCookie(t, b)
	planted := strings.Repeat("A", len(own))
	victim := t.NewBrowser(t.Person(t.Patient()))
	if err := victim.Plant(t.Issuer, name, planted); err != nil {
		return err
	}
	if _, err := victim.SignIn(ctx, t.Config.Management); err != nil {
		return err
	}
	_, after := sessionCookie(t, victim)
	c.That(after != planted && after != "", "the planted cookie stayed")
	return c.Err()
}

func sessionRotated(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	b := t.NewBrowser(t.Person("hale"))
	if _, err := password(ctx, t, b, nil); err != nil {
		return err
	}
	name, before := sessionCookie(t, b)
	if _, err := b.SignIn(ctx, t.Config.Management); err != nil {
		return err
	}
	_, after := sessionCookie(t, b)
	c.That(before != "" && after != "" && before != after, "the cookie did not change with the second factor")
	in, err := letIn(ctx, t, b)
	c.That(err == nil && in, "two factors open nothing: %v", err)
	if err := b.Plant(t.Issuer, name, before); err != nil {
		return err
	}
	in, err = letIn(ctx, t, b)
	c.That(err == nil && !in, "the cookie from before the second factor opens pages: %v", err)
	return c.Err()
}

func sessionIdle(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, x := range []struct {
		what  string
		form  url.Values
		still time.Duration
		over  time.Duration
	}{
		{"a device of one's own", nil, 25 * time.Minute, 61 * time.Minute},
		{"a shared device", url.Values{"shared": {"shared"}}, 4 * time.Minute, 6 * time.Minute},
	} {
		b := t.NewBrowser(t.Person(t.Patient()))
		if _, err := password(ctx, t, b, x.form); err != nil {
			return err
		}
		for _, step := range []struct {
			wait time.Duration
			in   bool
		}{{x.still, true}, {x.over, false}} {
			if err := t.Advance(ctx, step.wait); err != nil {
				return err
			}
			in, err := letIn(ctx, t, b)
			c.That(err == nil && in == step.in, "%s, %s after the last use: let in %v %v", x.what, step.wait, in, err)
		}
	}
	t.Forget()
	return c.Err()
}

func sessionCopied(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	b, _, err := entered(ctx, t, t.Person(t.Patient()))
	if err != nil {
		return err
	}
	name, value := sessionCookie(t, b)
	in, err := letIn(ctx, t, b)
	c.That(err == nil && in, "a log-in opens nothing: %v", err)
	thief := t.NewBrowser(t.Person(t.Patient()))
	if err := thief.Plant(t.Issuer, name, value); err != nil {
		return err
	}
	in, err = letIn(ctx, t, thief)
	c.That(err == nil && !in, "the copied cookie opens pages: %v", err)
	in, err = letIn(ctx, t, b)
	c.That(err == nil && !in, "the session goes on after its cookie was seen elsewhere: %v", err)
	return c.Err()
}

func signedOutElsewhere(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	me := t.Person(t.Patient())
	lost, _, err := entered(ctx, t, me)
	if err != nil {
		return err
	}
	name, copied := sessionCookie(t, lost)
	in, err := letIn(ctx, t, lost)
	c.That(err == nil && in, "a log-in opens nothing: %v", err)
	g, err := t.Launch(ctx, kit.Launch{Client: t.Client("symmetric"), Scope: "launch/patient online_access patient/Patient.rs", Visit: kit.Visit{Browser: lost}})
	if err != nil {
		return err
	}
	other, _, err := entered(ctx, t, me)
	if err != nil {
		return err
	}
	page, err := other.Open(ctx, t.Issuer+"/devices", "")
	if err != nil {
		return err
	}
	for _, f := range page.Forms {
		if strings.HasSuffix(f.Action, "/devices") && !f.Values(nil).Has("session") {
			_, err = other.Submit(ctx, f, nil, "")
		}
	}
	if err != nil {
		return err
	}
	ended := t.Await(ctx, 5*time.Second, func() bool {
		res, err := t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
		return err == nil && res.Status == http.StatusUnauthorized
	})
	c.That(ended, "the access token still works")
	res, err := t.Refresh(ctx, g.Client, g.RefreshToken(), "")
	c.That(err == nil && res.Status == http.StatusBadRequest, "the refresh token: %v %v", res, err)
	if err := lost.Plant(t.Issuer, name, copied); err != nil {
		return err
	}
	in, err = letIn(ctx, t, lost)
	c.That(err == nil && !in, "the copied cookie still opens pages: %v", err)
	in, err = letIn(ctx, t, other)
	c.That(err == nil && in, "the one who asked was signed out: %v", err)
	t.Forget()
	return c.Err()
}

func pagesNotKept(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	_, page, err := entered(ctx, t, t.Person(t.Patient()))
	if err != nil {
		return err
	}
	for _, res := range page.Trail {
		if res.Status == http.StatusOK {
			c.That(strings.Contains(res.Header.Get("Cache-Control"), "no-store"), "%s may be kept: %q", res.URL, res.Header.Get("Cache-Control"))
		}
	}
	return c.Err()
}

func sharedCleared(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	b := t.NewBrowser(t.Person(t.Patient()))
	if _, err := password(ctx, t, b, url.Values{"shared": {"shared"}}); err != nil {
		return err
	}
	page, err := b.Open(ctx, t.Issuer+"/home", "")
	if err != nil {
		return err
	}
	cleared, found := "", false
	for _, f := range page.Forms {
		if !strings.Contains(f.Action, "signout") {
			continue
		}
		found = true
		left, err := b.Submit(ctx, f, nil, "")
		if err != nil {
			return err
		}
		for _, res := range left.Trail {
			cleared += res.Header.Get("Clear-Site-Data")
		}
	}
	c.That(found, "there is no way to sign out")
	c.That(strings.Contains(cleared, `"cookies"`) && strings.Contains(cleared, `"storage"`) && strings.Contains(cleared, `"cache"`), "cleared is %q", cleared)
	return c.Err()
}

// passwordAlone tries every road that begins with a password: the pages, an app, a
// device without keyboard, and an app that asks for no page at all.
func passwordAlone(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, who := range []string{"hale", "elena"} {
		b := t.NewBrowser(t.Person(who))
		if _, err := password(ctx, t, b, nil); err != nil {
			return err
		}
		in, err := letIn(ctx, t, b)
		c.That(err == nil && !in, "%s sees pages: %v", who, err)
		for _, prompt := range []string{"", "none"} {
			client := t.Client("public")
			req := t.AuthorizeRequest(client, "openid launch/patient patient/Patient.rs", t.NewVerifier())
			if prompt != "" {
				req.Set("prompt", prompt)
			}
			page, err := b.Open(ctx, t.Config.Authorize+"?"+req.Encode(), req.Get("redirect_uri"))
			if err != nil {
				return err
			}
			c.That(page.Back == nil || page.Back.Query().Get("code") == "", "%s got a code (prompt %q)", who, prompt)
			c.That(page.ConsentForm() == nil, "%s is asked what an app may see (prompt %q)", who, prompt)
		}
		for _, path := range []string{"/device", "/account", "/devices", "/factors"} {
			page, err := b.Open(ctx, t.Issuer+path, "")
			if err != nil {
				return err
			}
			c.That(page.SignInForm() != nil || page.FormWith("code") != nil || path == "/device" && page.FormWith("user_code") != nil || page.Status >= 400,
				"%s sees %s", who, path)
		}
	}
	return c.Err()
}

func accountsAlike(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	known := t.NewBrowser(kit.Person{Username: t.Person(t.Patient()).Username, Password: "not the password of anybody"})
	unknown := t.NewBrowser(kit.Person{Username: "nobody-" + strings.ToLower(t.Random()[:8]), Password: "not the password of anybody"})
	one, err := password(ctx, t, known, nil)
	if err != nil {
		return err
	}
	two, err := password(ctx, t, unknown, nil)
	if err != nil {
		return err
	}
	c.That(one.Status == two.Status, "the known account is answered by %d, the unknown one by %d", one.Status, two.Status)
	words := func(r *kit.Response, b *kit.Browser) string {
		return strings.ReplaceAll(kit.Text(r.Body), b.Person.Username, "NAME")
	}
	c.That(words(one, known) == words(two, unknown), "the words differ:\n%s\n%s", words(one, known), words(two, unknown))
	// A good log-in leaves no failure behind, which would make others wait.
	_, _, err = entered(ctx, t, t.Person(t.Patient()))
	c.Note(err)
	return c.Err()
}
