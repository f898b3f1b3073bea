package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// turns chooses on the page of /acting as whom somebody goes on.
func (s teller) turns(b *kit.Browser, as string) *kit.Page {
	s.t.Helper()
	page := s.proven(b, "/acting")
	for _, f := range page.Forms {
		for _, button := range f.Buttons {
			if button.Name == "as" && button.Value == as {
				next, err := b.Submit(s.t.Context(), f, &button, "")
				if err != nil {
					s.t.Fatal(err)
				}
				return next
			}
		}
	}
	s.t.Fatalf("nobody to turn to as %s: %s", as, page.Text())
	return nil
}

// TF-03, CO-15, TR-44, SE-14: somebody who helps two people switches in two clicks,
// is told on every page as whom, gets a new session each time, and finds the own
// matters shut while acting for another.
func TestAProxySwitches(t *testing.T) {
	s := teller{start(t, nil), t}
	elena := s.browser("elena")
	s.says(s.open(t, elena, "/home"), "Act for somebody")
	s.says(s.open(t, elena, "/acting"), "You act for yourself now.", "For Rosa Alvarez, as her daughter", "For Joaquin Alvarez")
	before := elena.Cookies(s.Issuer)
	const banner = "You are acting for Rosa Alvarez, as her daughter."
	s.says(s.turns(elena, "rosa-elena"), banner, "Hello, Elena Alvarez")
	if elena.Cookies(s.Issuer) == before {
		t.Error("the session has the same secret")
	}
	for _, path := range []string{"/apps", "/helping", "/factors", "/devices", "/acting", "/people", "/nowhere-at-all"} {
		if page := s.open(t, elena, path); path != "/nowhere-at-all" && !strings.Contains(page.Text(), banner) {
			t.Errorf("%s does not say as whom: %s", path, page.Text())
		}
	}
	for _, path := range []string{"/people", "/activity", "/people/invite"} {
		if page := s.open(t, elena, path); page.Status != http.StatusForbidden || !strings.Contains(page.Text(), "This page is for you as yourself") {
			t.Errorf("%s while acting for another: %d %s", path, page.Status, page.Text())
		}
	}
	s.says(s.turns(elena, "joaquin-elena"), "You are acting for Joaquin Alvarez")
	forged := s.proven(elena, "/acting")
	for _, as := range []string{"rosa-tomas", "nobody", ""} {
		if page := s.press(elena, forged, "", url.Values{"as": {as}}); page.Status != http.StatusForbidden {
			t.Errorf("turned to %q: %d", as, page.Status)
		}
	}
	if page := s.turns(elena, "self"); strings.Contains(page.Text(), "acting for") {
		t.Errorf("still acting: %s", page.Text())
	}
	s.says(s.open(t, elena, "/people"), "People with access")
	s.says(s.open(t, s.browser("rosa"), "/home"), "Hello, Rosa Alvarez")
	seen := s.events(t, "kind=capacity.switched")
	if len(seen) != 3 || slices.ContainsFunc(seen, func(e eventRow) bool { return e.PersonID == "" || e.SessionID == "" }) {
		t.Errorf("the record tells of %d changes: %+v", len(seen), seen)
	}
}

// CO-14: whose access ended while they acted for somebody is told so; nothing turns
// them back by itself.
func TestAnAccessEndsWhileActing(t *testing.T) {
	s := teller{start(t, nil), t}
	rosa, hale := s.secured("rosa"), s.browser("hale")
	id, link, code := s.invited(rosa, "Bea Brook", "bea@example.org")
	bea := s.enrolled(link, "bea@example.org", code, "bea")
	s.says(s.open(t, bea, "/acting"), "There is nobody you can act for now.")
	s.open(t, hale, "/staff")
	s.proofedBy(hale, id)
	s.granting(rosa, bea, id)
	relation := ""
	for _, f := range s.open(t, bea, "/acting").Forms {
		for _, b := range f.Buttons {
			if b.Name == "as" && b.Value != "self" {
				relation = b.Value
			}
		}
	}
	s.says(s.turns(bea, relation), "You are acting for Rosa Alvarez, as her friend.")
	s.says(s.fill(rosa, "/people/"+id+"/revoke", "yes", nil), "You ended the access of Bea Brook.")
	s.says(s.open(t, bea, "/home"), "You acted for Rosa Alvarez. You cannot do so now.")
	if page := s.open(t, bea, "/people"); page.Status != http.StatusForbidden {
		t.Errorf("turned back by itself: %d", page.Status)
	}
	s.turns(bea, "self")
}
