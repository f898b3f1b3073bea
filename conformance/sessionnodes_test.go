package conformance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// twoDoors starts two processes on one PostgreSQL, each with an address of its own.
func twoDoors(t *testing.T, name string) [2]*conformance.Target {
	t.Helper()
	dsn := testpg.Start(t)
	door := func(n string) *conformance.Target {
		return another(t, name+n, "--database", dsn, "--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "::1/128").open(t)
	}
	return [2]*conformance.Target{door("-1"), door("-2")}
}

// tried fills in the sign-in form of a node as from an address, and gives the answer.
func tried(t *testing.T, at *conformance.Target, username, password, from string) *kit.Response {
	t.Helper()
	b := at.NewBrowser(kit.Person{Username: username, Password: password})
	page, err := b.Open(t.Context(), at.Issuer+"/signin", "")
	if err != nil || page.SignInForm() == nil {
		t.Fatal(page, err)
	}
	f := page.SignInForm()
	v := f.Values(nil)
	v.Set("username", username)
	v.Set("password", password)
	res, err := b.Raw(t.Context(), kit.Request{Method: http.MethodPost, URL: f.Action, Form: v, Header: http.Header{
		"Origin": {at.Issuer}, "Sec-Fetch-Site": {"same-origin"}, "X-Forwarded-For": {from},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// NI-06, SM-16: a hundred failures in a row, each at the other of two nodes, stop an
// account for strange devices at both. They are too few in each hour for any other
// brake.
func TestFailuresInARowAreCountedOverAllNodes(t *testing.T) {
	doors := twoDoors(t, "in-a-row")
	const most, perHour = 100, 8
	for i := range most {
		if i%perHour == 0 {
			for _, d := range doors {
				if err := d.Advance(t.Context(), 61*time.Minute); err != nil {
					t.Fatal(err)
				}
			}
		}
		if res := tried(t, doors[i%2], "tom", "not the password of Tom", fmt.Sprintf("172.20.%d.1", i)); res.Status != http.StatusUnauthorized {
			t.Fatalf("failure %d: %s", i+1, res)
		}
	}
	for i, d := range doors {
		if err := d.Advance(t.Context(), 61*time.Minute); err != nil {
			t.Fatal(err)
		}
		if res := tried(t, d, "tom", d.Person("tom").Password, fmt.Sprintf("172.21.%d.1", i)); res.Status != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "" {
			t.Errorf("node %d lets the right password in after a hundred failures: %s", i+1, res)
		}
		if res := tried(t, d, "rosa", d.Person("rosa").Password, fmt.Sprintf("172.22.%d.1", i)); res.Status != http.StatusSeeOther {
			t.Errorf("node %d stops others, too: %s", i+1, res)
		}
	}
}

// carry takes cookies of a browser to a browser at another node: all of them, as behind
// a balancer, or only those whose name holds a part.
func carry(t *testing.T, from *kit.Browser, at *conformance.Target, to *conformance.Target, part string) *kit.Browser {
	t.Helper()
	b := to.NewBrowser(from.Person)
	for _, cookie := range strings.Split(from.Cookies(at.Config.Management), "; ") {
		if name, value, _ := strings.Cut(cookie, "="); strings.Contains(name, part) {
			if err := b.Plant(to.Issuer, name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

// inside reports whether a browser sees the pages of a person at a node.
func inside(t *testing.T, at *conformance.Target, b *kit.Browser) bool {
	t.Helper()
	p, err := b.Open(t.Context(), at.Config.Management, "")
	if err != nil {
		t.Fatal(err)
	}
	return p.Status == http.StatusOK && p.SignInForm() == nil
}

// SE-16, SE-17, SE-19, D17: a log-in that ends at one node is over at the other within
// the limit: the session, the refresh token and the FHIR call, each tried with copies
// taken before. A cookie in another browser ends the session at both.
func TestSessionsEndAtEveryNode(t *testing.T) {
	doors := twoDoors(t, "ends")
	one, two := doors[0], doors[1]
	rosa := one.NewBrowser(one.Person("rosa"))
	g, err := one.Launch(t.Context(), kit.Launch{
		Client: one.Client("symmetric"), Scope: "launch/patient online_access patient/Patient.rs", Visit: kit.Visit{Person: "rosa", Browser: rosa},
	})
	if err != nil {
		t.Fatal(err)
	}
	copied := carry(t, rosa, one, two, "mandate")
	call := func() int {
		res, err := two.Do(t.Context(), kit.Request{URL: one.FHIRBase + "/Patient/rosa", Bearer: g.Access()})
		if err != nil {
			t.Fatal(err)
		}
		return res.Status
	}
	if !inside(t, two, copied) || call() != http.StatusOK {
		t.Fatal("the other node does not know the log-in")
	}
	if err := copied.SignOut(t.Context(), two.Issuer+"/home"); err != nil {
		t.Fatal(err)
	}
	if !one.Await(t.Context(), revocationLimit, func() bool { return call() == http.StatusUnauthorized }) {
		t.Errorf("the access token still works %s after the sign-out at the other node", revocationLimit)
	}
	if inside(t, one, rosa) {
		t.Error("the session goes on at the first node")
	}
	if res, err := one.Refresh(t.Context(), g.Client, g.RefreshToken(), ""); err != nil || res.Status != http.StatusBadRequest {
		t.Errorf("the refresh token: %s %v", res, err)
	}

	again := one.NewBrowser(one.Person("rosa"))
	if _, err := again.SignIn(t.Context(), one.Config.Management); err != nil {
		t.Fatal(err)
	}
	if inside(t, two, carry(t, again, one, two, "session")) {
		t.Error("a cookie copied into another browser opens pages at the other node")
	}
	if inside(t, one, again) {
		t.Error("a session that was seen copied goes on at the first node")
	}
}
