package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
)

// What the floor signs, others can verify.
func TestTheFloorSignsLikeOthers(t *testing.T) {
	es, err := ecdsa.GenerateKey(elliptic.P256(), nil)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(nil, rsaBits)
	if err != nil {
		t.Fatal(err)
	}
	claims := []byte(`{"sub":"x"}`)
	byES, err := signES256(es, claims)
	if err != nil {
		t.Fatal(err)
	}
	byRS, err := signRS256(rs, claims)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		jws string
		alg jose.SignatureAlgorithm
		key any
	}{{byES, jose.ES256, &es.PublicKey}, {byRS, jose.RS256, &rs.PublicKey}} {
		parsed, err := jwt.ParseSigned(c.jws, []jose.SignatureAlgorithm{c.alg})
		if err != nil {
			t.Fatal(err)
		}
		var got jwt.Claims
		if err := parsed.Claims(c.key, &got); err != nil || got.Subject != "x" {
			t.Errorf("%s: %+v %v", c.alg, got, err)
		}
	}
	var got struct{ Sub string }
	if err := verify(byES, &es.PublicKey, &got); err != nil || got.Sub != "x" {
		t.Errorf("%+v %v", got, err)
	}
}

// The floor must not be fast because it believes everything. // SMART ASY-07
func TestTheFloorRefusesWhatIsNotSigned(t *testing.T) {
	c, err := newClients(ids.Source{})
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{algRS384, algES384} {
		forms, err := c.assertions(alg, "http://here/token", 2, clock.System{}, ids.Source{})
		if err != nil {
			t.Fatal(err)
		}
		if forms[0] == forms[1] {
			t.Errorf("%s: two requests with one assertion", alg)
		}
		jws := formValue(t, forms[0], "client_assertion")
		if kid(jws) != alg {
			t.Errorf("%s: kid %q", alg, kid(jws))
		}
		key := c.keys[alg].Public()
		var claims struct {
			ISS, JTI, Aud string
			IAT, EXP      int64
		}
		if err := verify(jws, key, &claims); err != nil {
			t.Fatal(err)
		}
		if claims.ISS != backendID || claims.JTI == "" || claims.Aud != "http://here/token" || claims.EXP-claims.IAT > 300 {
			t.Errorf("%s: %+v", alg, claims)
		}
		head, rest, _ := strings.Cut(jws, ".")
		payload, sig, _ := strings.Cut(rest, ".")
		other, _, _ := strings.Cut(strings.SplitN(formValue(t, forms[1], "client_assertion"), ".", 2)[1], ".")
		for _, bad := range []string{"", ".", "..", "a.b.c", head + "." + payload + ".", head + "." + other + "." + sig, head + "." + payload + "." + sig[4:]} {
			if verify(bad, key, &claims) == nil {
				t.Errorf("%s: %q was believed", alg, bad)
			}
		}
		if verify(jws, nil, &claims) == nil {
			t.Errorf("%s: believed without a key", alg)
		}
	}
}

// Group commit loses nothing: every append that was answered is in the file.
func TestTheFileHoldsWhatWasAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "floor.log")
	s, err := openFileStore(path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for j := range 10 {
				if err := s.Issue(t.Context(), fmt.Appendf(nil, "<%d-", i), fmt.Appendf(nil, "%d>", j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		for j := range 10 {
			if want := fmt.Sprintf("<%d-%d>\n", i, j); !strings.Contains(string(raw), want) {
				t.Fatalf("%q is lost", want)
			}
		}
	}
	if err := s.Seed(t.Context(), nil); err == nil {
		t.Error("a closed file took an append")
	}
}

// On PostgreSQL the floor keeps single use: that is the commit it stands for.
// SMART ASY-10, REF-03
func TestTheFloorOnPostgreSQLKeepsSingleUse(t *testing.T) {
	p, err := openPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	dsn, err := p.dsn(floorDB)
	if err != nil {
		t.Fatal(err)
	}
	before, err := p.wal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := openPgStore(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	singleUse(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := p.wal(t.Context())
	if err != nil || after <= before {
		t.Errorf("the log grew from %d to %d: %v", before, after, err)
	}
	if n, err := p.commits(t.Context(), floorDB); err != nil || n < 0 {
		t.Errorf("%d commits, %v", n, err)
	}
	if _, err := p.conn.Exec(t.Context(), "ALTER DATABASE "+subjectDB+" SET synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	if p.readDurability(t.Context()) == nil {
		t.Error("a database with relaxed commits was taken")
	}
}

func singleUse(t *testing.T, s floorStore) {
	t.Helper()
	ctx := t.Context()
	b := func(text string) []byte { return []byte(text) }
	for i, step := range []struct {
		err  error
		fine bool
	}{
		{s.Issue(ctx, b("g1"), b("t1")), true},
		{s.Issue(ctx, b("g1"), b("t2")), false},
		{s.Known(ctx, b("t1")), true},
		{s.Known(ctx, b("t2")), false},
		{s.Seed(ctx, b("s1")), true},
		{s.Begin(ctx, b("s1"), "f1", "scope=x"), true},
		{s.Begin(ctx, b("s2"), "f3", "scope=x"), false},
		{gives(s.Pending(ctx, b("s1"), "f1")), true},
		{gives(s.Pending(ctx, b("s1"), "f2")), false},
		{gives(s.Pending(ctx, b("s2"), "f1")), false},
		{gives(s.Decide(ctx, b("s2"), "f1", b("c9"))), false},
		{gives(s.Decide(ctx, b("s1"), "f1", b("c1"))), true},
		{gives(s.Redeem(ctx, b("c1"), b("r1"))), true},
		{gives(s.Redeem(ctx, b("c1"), b("r9"))), false},
		{gives(s.Redeem(ctx, b("c9"), b("r9"))), false},
		{s.Rotate(ctx, b("r1"), b("r2")), true},
		{s.Rotate(ctx, b("r1"), b("r3")), false},
		{s.Rotate(ctx, b("r2"), b("r3")), true},
		{s.Seed(ctx, b("r4")), true},
		{s.Rotate(ctx, b("r4"), b("r5")), true},
	} {
		if (step.err == nil) != step.fine {
			t.Errorf("step %d: %v", i+1, step.err)
		}
	}
	if _, err := s.Redeem(ctx, b("c1"), b("r8")); !errors.Is(err, errReplay) {
		t.Errorf("a code used twice: %v", err)
	}
}

// gives turns an answer without the request that was kept into an error.
func gives(params string, err error) error {
	if err == nil && params != "scope=x" {
		err = fmt.Errorf("the request is %q", params)
	}
	return err
}

// The floor's code flow refuses what a server must refuse: who is not signed in,
// another form token, another verifier, and what no app asks for. SMART AZ-07
func TestTheFloorWalksNobodyElse(t *testing.T) {
	c, err := newClients(ids.Source{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := openFileStore(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := newFloor(floorConfig{
		JWKS: c.public, Secret: c.secret, CSRF: "@csrf", Handle: "@handle", PageHeader: map[string]string{"X-Frame-Options": "DENY"},
		Consent: `<form method="post"><input type="hidden" name="csrf" value="@csrf"></form><form method="post"><input type="hidden" name="csrf" value="@csrf">` +
			`<input type="hidden" name="handle" value="@handle"><button name="answer" value="allow">Allow</button></form>`,
	}, st, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	addr := server.Listener.Addr().String()
	r := &rig{clock: clock.System{}, clients: c, sessions: map[string]map[string]string{}}
	s := floorSide(addr, 0, &side{audience: "http://here/fhir"})
	a, err := r.browser(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.newWalk(s, a, es256ID, leanScope)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	own := a.cookies
	for name, spoil := range map[string]func(){
		"nobody":                     func() { a.cookies = map[string]string{} },
		"no redirect_uri of the app": func() { w.start = strings.Replace(w.start, "callback", "other", 1) },
		"no challenge":               func() { w.start = strings.Replace(w.start, "S256", "plain", 1) },
		"another answer":             func() { w.ticks = strings.Replace(w.ticks, "allow", "deny", 1) },
		"another verifier":           func() { w.verifier = "another" },
		"another app":                func() { w.basic = basicHeader("another", c.secret) },
	} {
		kept := *w
		spoil()
		if w.once(t.Context()) == nil {
			t.Errorf("%s: walked", name)
		}
		*w, a.cookies = kept, own
	}
	got, path, err := a.open(w.start)
	if err != nil || got.header.Get("X-Frame-Options") != "DENY" || strings.Contains(string(got.body), "@") {
		t.Fatalf("%s %v", got.body, err)
	}
	if got, err = a.send("POST", path, w.ticks+"&csrf=x"); err != nil || got.status != 400 {
		t.Errorf("a form token that nobody gave was taken: %d %v", got.status, err)
	}
}

func TestRelaxedDurabilityIsRefused(t *testing.T) {
	full := map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
	if err := checkDurability(full); err != nil {
		t.Error(err)
	}
	for name := range full {
		for _, value := range []string{"off", "local", ""} {
			relaxed := map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
			relaxed[name] = value
			if err := checkDurability(relaxed); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s = %q: %v", name, value, err)
			}
		}
	}
}

// The floor answers errors as errors.
func TestTheFloorRefusesUnknownRequests(t *testing.T) {
	c, err := newClients(ids.Source{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := openFileStore(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := newFloor(floorConfig{JWKS: c.public, Secret: c.secret, Documents: map[string]string{"/doc": "{}"}}, st, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	to := &conn{addr: server.Listener.Addr().String(), clock: clock.System{}}
	defer to.close()
	for _, bad := range []request{
		{method: "POST", path: "/token", form: "grant_type=none"},
		{method: "POST", path: "/token", form: "grant_type=client_credentials&client_assertion=a.b.c"},
		{method: "POST", path: "/token", form: "grant_type=refresh_token&refresh_token=x"},
		{method: "POST", path: "/token", form: "grant_type=authorization_code&code=x", header: []string{basicHeader(appID, "wrong")}},
		{method: "POST", path: "/introspect", form: "token=a.b.c", header: []string{basicHeader(appID, c.secret)}},
		{method: "POST", path: "/signin", form: "password=wrong"},
		{method: "POST", path: "/flow/x", form: "decision=deny"},
	} {
		bad.host = "floor"
		got, err := to.send(bad.bytes())
		if err != nil || got.status != 400 || member(got.body, "error") == "" {
			t.Errorf("%s %s %s: %d %v", bad.method, bad.path, bad.form, got.status, err)
		}
	}
	if err := to.wantOK(request{method: "GET", path: "/doc", host: "floor"}.bytes()); err != nil {
		t.Error(err)
	}
}
