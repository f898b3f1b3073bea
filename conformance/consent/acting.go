package consent

import (
	"context"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// acting are the rows about people who help, tried by their pages.
func acting() []kit.Row {
	needs := kit.Login | kit.Proxies
	return []kit.Row{
		{ID: "MANDATE CO-15", Title: "who acts for another is told so on each page, in a session with another secret", Needs: needs, Run: actsFor},
		{ID: "MANDATE TF-14", Title: "staff who take a call learn as much of a blocked caller as of an unknown one", Needs: needs, Run: callersAlike},
		{ID: "MANDATE SP-17", Title: "a copy of a record is fetched once, in the session that asked", Needs: needs, Run: copiedOnce},
	}
}

// at gives the address of a page of people.
func at(t *kit.Target, path string) string { return strings.TrimSuffix(t.Issuer, "/") + path }

// chosen presses a button of a page by its name and value.
func chosen(ctx context.Context, b *kit.Browser, p *kit.Page, name, value string) (*kit.Page, error) {
	for _, f := range p.Forms {
		for _, x := range f.Buttons {
			if x.Name == name && x.Value == value {
				return b.Submit(ctx, f, &x, "")
			}
		}
	}
	return p, nil
}

func actsFor(ctx context.Context, t *kit.Target) error {
	const banner = "You are acting for Rosa Alvarez"
	b := t.NewBrowser(t.Person("elena"))
	page, err := b.SignIn(ctx, at(t, "/acting"))
	if err != nil {
		return err
	}
	var c kit.Check
	before := b.Cookies(t.Issuer)
	page, err = chosen(ctx, b, page, "as", "rosa-elena")
	if !c.Note(err) || !c.That(page.Status == http.StatusOK, "%s", page.Response) {
		return c.Err()
	}
	c.That(b.Cookies(t.Issuer) != before, "the session kept its secret")
	for _, path := range []string{"/home", "/apps", "/devices", "/acting"} {
		page, err := b.Open(ctx, at(t, path), "")
		if c.Note(err) {
			c.That(strings.Contains(page.Text(), banner), "%s does not say for whom: %s", path, page.Response)
		}
	}
	page, err = b.Open(ctx, at(t, "/people"), "")
	if c.Note(err) {
		c.That(page.Status == http.StatusForbidden, "the own matters while acting for another: %s", page.Response)
	}
	forged, err := b.Open(ctx, at(t, "/acting"), "")
	if c.Note(err) && c.That(forged.FormWith("csrf") != nil, "no form at %s", forged.Response) {
		f := forged.Forms[len(forged.Forms)-1]
		v := f.Values(nil)
		v.Set("as", "rosa-tomas")
		page, err := b.Post(ctx, f, v, "")
		if c.Note(err) {
			c.That(page.Status == http.StatusForbidden, "turned to somebody whom she does not help: %s", page.Response)
		}
	}
	return c.Err()
}

func callersAlike(ctx context.Context, t *kit.Target) error {
	b := t.NewBrowser(t.Person("hale"))
	if _, err := b.SignIn(ctx, at(t, "/staff")); err != nil {
		return err
	}
	page, err := b.SignIn(ctx, at(t, "/staff/calls"))
	if err != nil {
		return err
	}
	var c kit.Check
	var said []string
	for _, caller := range []string{"nobody-" + t.Random()[:8], "victor", "tomas"} {
		f := page.FormWith("username")
		if !c.That(f != nil, "no console: %s", page.Response) {
			return c.Err()
		}
		v := f.Values(nil)
		for name, value := range map[string]string{"username": caller, "code": "12345678", "patient": "Rosa Alvarez"} {
			v.Set(name, value)
		}
		answer, err := b.Post(ctx, f, v, "")
		if c.Note(err) {
			said = append(said, answer.Text())
			c.That(!strings.Contains(answer.Text(), "Rosa"), "the patient is named before the caller is known")
		}
	}
	for i, s := range said {
		c.That(s == said[0], "the answer to caller %d is another one: %s", i, s)
	}
	return c.Err()
}

func copiedOnce(ctx context.Context, t *kit.Target) error {
	b := t.NewBrowser(t.Person("elena"))
	if _, err := b.SignIn(ctx, t.Config.Management); err != nil {
		return err
	}
	page, err := b.SignIn(ctx, at(t, "/record/medicines/copy"))
	if err != nil {
		return err
	}
	f := page.FormWith("csrf")
	for _, x := range page.Forms {
		if x.Button("print") != nil {
			f = x
		}
	}
	var c kit.Check
	if !c.That(f != nil && f.Button("print") != nil, "no copy is offered: %s", page.Response) {
		return c.Err()
	}
	asked, err := b.Raw(ctx, kit.Request{URL: f.Action, Form: f.Values(f.Button("print")), Header: http.Header{
		"Origin": {strings.TrimSuffix(t.Issuer, "/")}, "Sec-Fetch-Site": {"same-origin"},
	}})
	if err != nil {
		return err
	}
	ticket := asked.Header.Get("Location")
	if !c.That(strings.Contains(ticket, "/copies/"), "no ticket: %s", asked) {
		return c.Err()
	}
	if strings.HasPrefix(ticket, "/") {
		ticket = at(t, ticket)
	}
	for _, x := range []struct {
		who  string
		b    *kit.Browser
		want int
	}{{"nobody", t.NewBrowser(kit.Person{}), http.StatusUnauthorized}, {"who asked", b, http.StatusOK}, {"who asked, again", b, http.StatusGone}} {
		res, err := x.b.Raw(ctx, kit.Request{URL: ticket})
		if c.Note(err) {
			c.That(res.Status == x.want, "%s gets %s", x.who, res)
		}
	}
	return c.Err()
}
