package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/testpg"
)

// Limits of the rotation: the announcement of a key takes 30 seconds.
const (
	rotationLimit = 90 * time.Second
	overlapLimit  = 60 * time.Second
)

// kid gives the key under which a token was signed.
func kid(t *testing.T, token string) string {
	t.Helper()
	var h struct{ Kid string }
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err == nil {
		err = json.Unmarshal(raw, &h)
	}
	if err != nil || h.Kid == "" {
		t.Errorf("no key: %v", err)
	}
	return h.Kid
}

// traffic asks both nodes lightly until it is stopped, and counts.
type traffic struct {
	pair   *pair
	stop   chan struct{}
	wg     sync.WaitGroup
	served atomic.Int64
	mu     sync.Mutex
	last   [2]string
	// opaque is what names the key of each node's last opaque token, first that
	// of the very first.
	opaque [2]string
	first  string
	// mark is that of the key under which each node's last refresh token was
	// hashed.
	mark [2]string
}

// every runs an act at one node after the other, two in a second.
func (f *traffic) every(t *testing.T, act func(node, other int) error) {
	f.wg.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			if err := act(i%2, 1-i%2); err != nil {
				t.Errorf("at node %d: %v", i%2+1, err)
				return
			}
			f.served.Add(1)
			select {
			case <-f.stop:
				return
			case <-tick.C:
			}
		}
	})
}

func (f *traffic) at(i int) string { return []string{f.pair.a.Issuer, f.pair.b}[i] }

// token asks a node for a backend's token, which the other node must honour.
func (f *traffic) token(t *testing.T, node, other int) error {
	a, backend := f.pair.a, f.pair.a.Client("backend")
	signed, err := backend.Sign(a.NewAssertion(backend, "ES384"))
	if err != nil {
		return err
	}
	res, err := a.Do(t.Context(), kit.Request{URL: f.at(node) + "/token", Form: url.Values{
		"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}, "client_assertion_type": {kit.AssertionType}, "client_assertion": {signed},
	}})
	if err != nil || res.Status != http.StatusOK {
		return fmt.Errorf("a token: %s %w", res, err)
	}
	access := res.Text("access_token")
	f.mu.Lock()
	f.last[node] = kid(t, access)
	f.mu.Unlock()
	res, err = a.Do(t.Context(), kit.Request{URL: f.at(other) + "/fhir/Patient/rosa", Bearer: access})
	if err != nil || res.Status != http.StatusOK {
		return fmt.Errorf("a read: %s %w", res, err)
	}
	return nil
}

// sealed refreshes a grant at one node after the other, each of which must
// honour the opaque token of its neighbour (D2).
func (f *traffic) sealed(t *testing.T, c kit.Client) {
	t.Helper()
	public := f.pair.client
	f.pair.client = c
	g := f.pair.launch(t)
	f.pair.client = public
	refresh := g.RefreshToken()
	// What follows the prefix names the key.
	key := func(access string) string { return access[:len("mandate_at_")+10] }
	f.first = key(g.Access())
	f.every(t, func(node, other int) error {
		res, err := f.pair.a.Do(t.Context(), kit.Request{URL: f.at(node) + "/token", Form: url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {c.ID},
		}})
		if err != nil || res.Status != http.StatusOK {
			return fmt.Errorf("an opaque token: %s %w", res, err)
		}
		refresh = res.Text("refresh_token")
		access := res.Text("access_token")
		f.mu.Lock()
		f.opaque[node] = key(access)
		f.mark[node] = ids.Mark(refresh)
		f.mu.Unlock()
		res, err = f.pair.a.Do(t.Context(), kit.Request{URL: f.at(other) + "/fhir/Patient/rosa", Bearer: access})
		if err != nil || res.Status != http.StatusOK {
			return fmt.Errorf("a read with an opaque token: %s %w", res, err)
		}
		return nil
	})
}

// SE-03, SMART OID-13: while two processes serve, the command line rotates the
// signing key, that of opaque tokens, that of hashes, the tenant's key and the
// index key. No request fails, both nodes take the new key, and the old one is
// published until the overlap has passed.
func TestKeysRotateBesideTwoProcesses(t *testing.T) {
	dsn := testpg.Start(t)
	offset := filepath.Join(t.TempDir(), "offset")
	shift := func(by string) {
		if err := os.WriteFile(offset, []byte(by), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shift("0s")
	opaque, file := sealed(t)
	f := &traffic{pair: nodes(t, "rotate", dsn, dsn, "--unsafe-clock-offset", offset, "--client", file), stop: make(chan struct{})}
	f.sealed(t, opaque)
	f.every(t, func(node, other int) error { return f.token(t, node, other) })
	f.every(t, func(node, _ int) error {
		page, err := f.pair.a.NewBrowser(f.pair.a.Person("rosa")).SignIn(t.Context(), f.at(node)+"/home")
		if err == nil && !strings.Contains(page.Text(), "Rosa") {
			err = fmt.Errorf("a log-in leads to %s", page.URL)
		}
		return err
	})
	f.stays(t)
	f.secret(t)
	before := f.pair.launch(t)
	old := kid(t, before.Access())
	for _, kind := range []string{"access-token", "access-handle", "token-hash", "tenant", "index"} {
		out, err := exec.CommandContext(t.Context(), shared.binary, "keys", "rotate", kind, "--database", dsn,
			"--keys", "file:"+filepath.Join(shared.dir, "kek.json")).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", kind, err, out)
		}
	}
	f.turns(t, old)
	within(t, rotationLimit, "the old tenant key is ended", func() bool { return f.ended(t, dsn, "tenant") })
	close(f.stop)
	f.wg.Wait()
	t.Logf("%d acts served, none failed", f.served.Load())
	if n := f.served.Load(); n < 50 {
		t.Errorf("only %d acts were served", n)
	}
	for i := range 2 {
		if !f.published(t, i, old) || !f.published(t, i, f.last[0]) {
			t.Errorf("node %d does not publish both keys in the overlap", i+1)
		}
	}
	// A refresh token from before, unused until now, is good at either node.
	res := f.pair.refresh(t, f.pair.b, before.RefreshToken())
	if mark := ids.Mark(res.Text("refresh_token")); res.Status != http.StatusOK || mark == "" || mark != f.mark[0] {
		t.Errorf("an old refresh token: %s, its successor is under the key of %q", res, mark)
	}
	shift("27h")
	within(t, overlapLimit, "the old key is published no more", func() bool { return !f.published(t, 0, old) && !f.published(t, 1, old) })
}

// turns waits until both nodes sign, seal and hash under the new keys.
func (f *traffic) turns(t *testing.T, old string) {
	t.Helper()
	both := func(what string, turned func() bool) {
		t.Helper()
		within(t, rotationLimit, "both nodes "+what+" under the new key", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return turned()
		})
	}
	both("sign", func() bool { return f.last[0] != old && f.last[1] == f.last[0] && f.last[0] != "" })
	both("seal", func() bool { return f.opaque[0] != f.first && f.opaque[1] == f.opaque[0] })
	both("hash", func() bool { return f.mark[0] != "" && f.mark[1] == f.mark[0] })
}

// stays lets who logged in before read pages.
func (f *traffic) stays(t *testing.T) {
	t.Helper()
	var browsers [2]*kit.Browser
	for i := range browsers {
		browsers[i] = f.pair.a.NewBrowser(f.pair.a.Person("rosa"))
		if _, err := browsers[i].SignIn(t.Context(), f.at(i)+"/home"); err != nil {
			t.Fatal(err)
		}
	}
	f.every(t, func(node, _ int) error {
		page, err := browsers[node].Open(t.Context(), f.at(node)+"/home", "")
		if err == nil && !strings.Contains(page.Text(), "Rosa") {
			err = fmt.Errorf("who was logged in is led to %s", page.URL)
		}
		return err
	})
}

// secret lets a client that has a secret ask about a token.
func (f *traffic) secret(t *testing.T) {
	t.Helper()
	c := f.pair.a.Client("symmetric")
	f.every(t, func(node, _ int) error {
		res, err := f.pair.a.Do(t.Context(), kit.Request{URL: f.at(node) + "/introspect", Form: url.Values{"token": {"none"}}, Basic: &[2]string{c.ID, c.Secret}})
		if err != nil || res.Status != http.StatusOK {
			return fmt.Errorf("a client secret: %s %w", res, err)
		}
		return nil
	})
}

// published reports whether a node's key set has a key.
func (f *traffic) published(t *testing.T, node int, id string) bool {
	t.Helper()
	res, err := f.pair.a.Do(t.Context(), kit.Request{URL: f.at(node) + "/jwks"})
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	return strings.Contains(string(res.Body), id)
}

// ended reports whether the first key of a kind is destroyed.
func (f *traffic) ended(t *testing.T, dsn, kind string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), shared.binary, "keys", "list", "--json", "--database", dsn,
		"--keys", "file:"+filepath.Join(shared.dir, "kek.json")).Output()
	var items []struct{ Kind, ID, State string }
	if err == nil {
		err = json.Unmarshal(out, &items)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if i.Kind == kind && i.ID == "v1" {
			return i.State == "destroyed"
		}
	}
	return false
}

// within waits until something is so.
func within(t *testing.T, limit time.Duration, what string, is func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Second), time.NewTimer(limit)
	defer tick.Stop()
	defer late.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
