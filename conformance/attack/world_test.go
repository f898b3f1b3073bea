package attack_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testrun"
)

// target is the one server that all suites attack. It believes X-Forwarded-For of
// loopback, so that an attack can come from many networks.
var target *conformance.Target

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "mandate-attack-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary, err := testrun.Build(context.Background(), dir)
	if err != nil {
		return 1, err
	}
	node := &testrun.Node{Binary: binary, Dir: dir, Args: []string{"--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "::1/128"}}
	if err := node.Start(); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, node.Stop()) }()
	if target, err = conformance.Open(context.Background(), conformance.Options{ReadyFile: node.Ready()}); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// step notes one step of an attack: what was tried, and what stopped it.
func step(t *testing.T, what string, stopped bool, seen any) {
	t.Helper()
	if !stopped {
		t.Errorf("NOT STOPPED  %s: %v", what, seen)
		return
	}
	t.Logf("stopped      %s: %v", what, seen)
}

// guess fills in the sign-in form of a browser as from an address, and gives the
// answer, followed no further.
func guess(t *testing.T, b *kit.Browser, username, password, from string) *kit.Response {
	t.Helper()
	var took time.Duration
	return timedGuess(t, b, username, password, from, &took)
}

// timedGuess is guess that tells how long the answer took.
func timedGuess(t *testing.T, b *kit.Browser, username, password, from string, took *time.Duration) *kit.Response {
	t.Helper()
	page, err := b.Open(t.Context(), target.Issuer+"/signin", "")
	if err != nil {
		t.Fatal(err)
	}
	f := page.SignInForm()
	if f == nil {
		t.Fatalf("no form: %s", page.Response)
	}
	v := f.Values(nil)
	v.Set("username", username)
	v.Set("password", password)
	begun := time.Now()
	res, err := b.Raw(t.Context(), kit.Request{Method: http.MethodPost, URL: f.Action, Form: v, Header: http.Header{
		"Origin": {target.Issuer}, "Sec-Fetch-Site": {"same-origin"}, "X-Forwarded-For": {from},
	}})
	if err != nil {
		t.Fatal(err)
	}
	*took = time.Since(begun)
	return res
}

func stranger() *kit.Browser { return target.NewBrowser(target.Person("rosa")) }

func signedIn(t *testing.T, name string) *kit.Browser {
	t.Helper()
	b := target.NewBrowser(target.Person(name))
	if _, err := b.SignIn(t.Context(), target.Config.Management); err != nil {
		t.Fatal(err)
	}
	return b
}

// cookie gives the value of the cookie of a browser whose name has a part.
func cookie(b *kit.Browser, part string) (name, value string) {
	for _, c := range strings.Split(b.Cookies(target.Config.Management), "; ") {
		if name, value, _ = strings.Cut(c, "="); strings.Contains(name, part) {
			return name, value
		}
	}
	return "", ""
}

// opens reports whether a browser is let in.
func opens(t *testing.T, b *kit.Browser) bool {
	t.Helper()
	p, err := b.Open(t.Context(), target.Config.Management, "")
	if err != nil {
		t.Fatal(err)
	}
	return p.Status == http.StatusOK && p.SignInForm() == nil
}

// soon waits for at most the limit of revocations with push, and some more for a
// busy machine, and gives how long it took.
func soon(done func() bool) (time.Duration, bool) {
	begun, deadline := time.Now(), time.After(5*time.Second)
	for !done() {
		select {
		case <-deadline:
			return time.Since(begun), false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return time.Since(begun), true
}
