package attack_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// SM-10, SM-16…18, NI-06, AS-03: stuffing from one network and from many, while a
// known device still gets in.
func TestCredentialStuffing(t *testing.T) {
	rosa := target.Person("rosa")
	tablet := signedIn(t, "rosa")
	if err := tablet.SignOut(t.Context(), target.Issuer+"/home"); err != nil {
		t.Fatal(err)
	}
	known := guess(t, stranger(), "rosa", "wrong", "192.0.2.1")
	unknown := guess(t, stranger(), "nobody-here", "wrong", "192.0.2.2")
	step(t, "telling accounts from the answer", known.Status == unknown.Status && kit.Text(known.Body) == strings.ReplaceAll(kit.Text(unknown.Body), "nobody-here", "rosa"), known.Status)

	b := stranger()
	statuses := map[int]int{}
	for range 4 {
		statuses[guess(t, b, "rosa", "wrong", "198.51.100.1").Status]++
	}
	step(t, "guessing as fast as the line allows", statuses[429] > 0, statuses)
	clear(statuses)
	var last *kit.Response
	for i := range 60 {
		last = guess(t, stranger(), "rosa", fmt.Sprint("guess ", i), fmt.Sprintf("10.0.%d.1", i))
		statuses[last.Status]++
	}
	step(t, "one account from sixty networks", statuses[429] > 40, statuses)
	step(t, "going on without doing the work", strings.Contains(string(last.Body), "data-work"), last.Status)
	right := guess(t, stranger(), "rosa", rosa.Password, "10.0.99.1")
	step(t, "the right password in the midst of it, from a strange device", right.Status == http.StatusTooManyRequests, right.Status)
	if res := guess(t, tablet, "rosa", rosa.Password, "10.0.99.1"); res.Status != http.StatusSeeOther {
		t.Errorf("Rosa's own tablet is shut out: %s", res)
	} else {
		t.Logf("let in       Rosa on the tablet she knows, during the attack")
	}
	clear(statuses)
	for i := range 45 {
		statuses[guess(t, stranger(), fmt.Sprint("user", i), "Winter2026!", "203.0.113.9").Status]++
	}
	step(t, "one password for many accounts from one network", statuses[429] > 0, statuses)
	res := guess(t, stranger(), "rosa", "wrong", "6.6.6.6, not an address, 10.0.0.7")
	step(t, "an address that was made up", res.Status != http.StatusInternalServerError, res.Status)
}

// SM-12: fifty right codes at once are one log-in.
func TestParallelCodes(t *testing.T) {
	p := target.Person("hale")
	b := target.NewBrowser(p)
	if res := guess(t, b, p.Username, p.Password, "192.0.2.50"); res.Status != http.StatusSeeOther {
		t.Fatal(res)
	}
	page, err := b.Open(t.Context(), target.Issuer+"/signin/code", "")
	if err != nil || page.FormWith("code") == nil {
		t.Fatal(page, err)
	}
	code, err := kit.TOTP(p.TOTPSecret, target.Now())
	if err != nil {
		t.Fatal(err)
	}
	f := page.FormWith("code")
	v := f.Values(nil)
	v.Set("code", code)
	var in atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			res, err := b.Raw(t.Context(), kit.Request{Method: http.MethodPost, URL: f.Action, Form: v, Header: http.Header{"Origin": {target.Issuer}, "Sec-Fetch-Site": {"same-origin"}}})
			if err == nil && res.Status == http.StatusSeeOther && !strings.Contains(res.Header.Get("Location"), "signin") {
				in.Add(1)
			}
		})
	}
	all.Wait()
	step(t, "one code sent fifty times at once", in.Load() == 1, fmt.Sprint(in.Load(), " log-in"))
	if err := target.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
}
