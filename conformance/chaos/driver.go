package chaos

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/clock"
)

// outcome is what an app may conclude from an answer.
type outcome int

const (
	// done: the server said yes.
	done outcome = iota
	// refused: the server said no.
	refused
	// unsure: nobody can tell; the app tries again.
	unsure
)

// Driver uses a server as apps do and remembers what it was told.
type Driver struct {
	target atomic.Pointer[kit.Target]
	// dying is true while the server itself may be killed: then an answer may
	// fail to come.
	dying atomic.Bool
	clock clock.Clock

	mu     sync.Mutex
	lives  []*life
	faults []string
	// lived counts completed lives, unsure the answers that were none.
	lived, unsure int
	changed       chan struct{}
}

// life is one launch of an app and what came of it.
type life struct {
	client kit.Client
	code   *kit.Grant
	// redeemed counts the times the code was honoured; unsure is true when an
	// answer about it was lost.
	redeemed int
	unsure   bool
	// first and refresh are the oldest and the newest refresh token; next maps
	// each to its successor.
	first, refresh string
	next           map[string]string
	// access are the tokens that were given.
	access  []string
	revoked bool
	// form is the token request of a backend service.
	form url.Values
	// undecided is true when the answer to a revocation was lost.
	undecided bool
}

// NewDriver gives one for a server.
func NewDriver(t *kit.Target) *Driver {
	d := &Driver{clock: clock.System{}, changed: make(chan struct{}, 1)}
	d.target.Store(t)
	return d
}

// Dying says that the server may be killed from now on, or not any more.
func (d *Driver) Dying(yes bool) { d.dying.Store(yes) }

// Use turns to a server that was started again.
func (d *Driver) Use(t *kit.Target) { d.target.Store(t) }

func (d *Driver) fault(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, fmt.Sprintf(format, args...))
}

// Faults gives and forgets what was wrong.
func (d *Driver) Faults() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.faults
	d.faults = nil
	return out
}

// Counts gives the number of completed lives and of answers that were lost.
func (d *Driver) Counts() (lived, unsure int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lived, d.unsure
}

// Wait returns when so many more answers came: lives completed, and lost ones
// where those are asked for.
func (d *Driver) Wait(ctx context.Context, lives, lost int) error {
	lived, missed := d.Counts()
	for {
		l, u := d.Counts()
		if l >= lived+lives && u >= missed+lost {
			return nil
		}
		select {
		case <-d.changed:
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d lives and %d of %d lost answers came", l-lived, lives, u-missed, lost)
		}
	}
}

func (d *Driver) note(lived, unsure int) {
	d.mu.Lock()
	d.lived += lived
	d.unsure += unsure
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// judge sorts one answer and remarks on those that no specification has.
func (d *Driver) judge(what string, res *kit.Response, err error) outcome {
	switch {
	case err != nil && d.dying.Load():
		d.note(0, 1)
		return unsure
	case err != nil:
		d.fault("%s: no answer: %v", what, err)
		return unsure
	case res.Status < 400:
		return done
	case res.Status == http.StatusServiceUnavailable:
		page := strings.HasPrefix(res.Media(), "text/html")
		if res.Header.Get("Retry-After") == "" || !page && res.Text("error") != "temporarily_unavailable" {
			d.fault("%s: an outage is told without Retry-After or temporarily_unavailable: %s", what, res)
		}
		d.note(0, 1)
		return unsure
	case res.Status >= 500:
		d.fault("%s: %s %s", what, res, res.Text("error_description"))
		return unsure
	}
	return refused
}

// Run lives until the context ends; several may run at once.
func (d *Driver) Run(ctx context.Context, client, person string) {
	var b *kit.Browser
	for n := 0; ctx.Err() == nil; n++ {
		t := d.target.Load()
		if b == nil || b.Person.Username == "" {
			b = t.NewBrowser(t.Person(person))
		}
		l, ok := d.launch(t, t.Client(client), b)
		if !ok {
			// What the browser knows may be of a log-in that was lost.
			b = nil
			pause(ctx)
			continue
		}
		d.live(l, n)
		d.backend()
	}
}

// pause keeps an app from asking a server that is down in a tight loop.
func pause(ctx context.Context) {
	t := time.NewTimer(50 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// scope is what the lives ask for.
const scope = "launch/patient offline_access patient/Patient.rs"

// launch walks to a code. Requests that were begun are ended, so their context
// is not the actor's.
func (d *Driver) launch(t *kit.Target, c kit.Client, b *kit.Browser) (*life, bool) {
	g, err := t.Code(context.Background(), kit.Launch{Client: c, Scope: scope, Visit: kit.Visit{Browser: b}})
	if err == nil {
		l := &life{client: c, code: g, next: map[string]string{}}
		d.mu.Lock()
		d.lives = append(d.lives, l)
		d.mu.Unlock()
		return l, true
	}
	d.judgeLaunch(err)
	return nil, false
}

// judgeLaunch remarks on a launch that failed otherwise than it may.
func (d *Driver) judgeLaunch(err error) {
	text := err.Error()
	specified := strings.Contains(text, "503") || strings.Contains(text, "error=temporarily_unavailable") ||
		// A person whose log-in or request was lost begins again.
		strings.Contains(text, "a page: ") && !strings.Contains(text, " 500") && !strings.Contains(text, " 502")
	if !specified && !d.dying.Load() {
		d.fault("launch: %v", err)
	}
	d.note(0, 1)
}

// tries is how often an app asks again for what it is unsure of.
const tries = 3

// live redeems, refreshes twice and revokes every third grant; every fourth
// code is presented by several at once.
func (d *Driver) live(l *life, n int) {
	if n%4 == 3 {
		d.race(l)
		d.note(1, 0)
		return
	}
	if d.redeem(l) != done || l.refresh == "" {
		return
	}
	for range 2 {
		if d.rotate(l) != done {
			return
		}
	}
	if n%3 == 2 {
		d.revoke(l)
	}
	d.note(1, 0)
}

// redeem exchanges the code, trying again while unsure.
func (d *Driver) redeem(l *life) outcome {
	for range tries {
		t := d.target.Load()
		res, err := t.Call(context.Background(), t.Config.Token, l.client, kit.CodeForm(l.code.Code, l.code.Redirect, l.code.Verifier))
		switch d.judge("code", res, err) {
		case done:
			if l.redeemed++; l.redeemed > 1 {
				d.fault("a code was honoured twice")
			}
			l.given(res)
			l.refresh = res.Text("refresh_token")
			l.first = l.refresh
			return done
		case refused:
			if !l.unsure {
				d.fault("a fresh code was refused: %s", res)
			}
			return refused
		case unsure:
			l.unsure = true
		}
	}
	return unsure
}

// race presents a code several times at once: one wins. A loser's request is a
// replay, which ends what the winner got, so the life ends here.
func (d *Driver) race(l *life) {
	t := d.target.Load()
	l.undecided = true
	d.at(l, "code", func() (*kit.Response, error) {
		return t.Call(context.Background(), t.Config.Token, l.client, kit.CodeForm(l.code.Code, l.code.Redirect, l.code.Verifier))
	})
}

// at sends a request that may succeed once three times at once.
func (d *Driver) at(l *life, what string, send func() (*kit.Response, error)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 3 {
		wg.Go(func() {
			res, err := send()
			o := d.judge(what, res, err)
			mu.Lock()
			defer mu.Unlock()
			switch o {
			case done:
				if l.redeemed++; l.redeemed > 1 {
					d.fault("a %s was honoured twice", what)
				}
				l.given(res)
			case unsure:
				l.unsure = true
			}
		})
	}
	wg.Wait()
	if l.redeemed == 0 && !l.unsure {
		d.fault("a fresh %s was refused", what)
	}
}

func (l *life) given(res *kit.Response) { l.access = append(l.access, res.Text("access_token")) }

// grace is within which a refresh token whose answer was lost may be presented
// again (SMART REF-08), with a margin.
const grace = 25 * time.Second

// rotate refreshes, trying again while unsure: the same successor must come.
func (d *Driver) rotate(l *life) outcome {
	began := d.clock.Now()
	lost := false
	for range tries {
		t := d.target.Load()
		res, err := t.Refresh(context.Background(), l.client, l.refresh, "")
		switch d.judge("refresh", res, err) {
		case done:
			next := res.Text("refresh_token")
			if known := l.next[l.refresh]; known != "" && known != next {
				d.fault("a refresh token has two successors")
			}
			l.next[l.refresh] = next
			l.given(res)
			l.refresh = next
			return done
		case refused:
			if !lost || d.clock.Now().Sub(began) < grace {
				d.fault("a live refresh token was refused: %s %s", res, res.Text("error_description"))
			}
			return refused
		case unsure:
			lost = true
		}
	}
	l.unsure = true
	return unsure
}

func (d *Driver) revoke(l *life) {
	for range tries {
		t := d.target.Load()
		res, err := t.RevokeToken(context.Background(), l.client, l.refresh)
		switch d.judge("revoke", res, err) {
		case done:
			l.revoked, l.undecided = true, false
			return
		case refused:
			d.fault("a revocation was refused: %s", res)
			return
		case unsure:
			l.undecided = true
		}
	}
}

// backend presents one assertion several times: it must work once.
func (d *Driver) backend() {
	t := d.target.Load()
	c := t.Client("backend")
	signed, err := c.Sign(t.NewAssertion(c, "ES384"))
	if err != nil {
		d.fault("%v", err)
		return
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"},
		"client_assertion_type": {kit.AssertionType}, "client_assertion": {signed},
	}
	l := &life{client: c, next: map[string]string{}, form: form}
	d.at(l, "assertion", func() (*kit.Response, error) {
		return t.Do(context.Background(), kit.Request{URL: t.Config.Token, Form: form})
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lives = append(d.lives, l)
}

// tokenID gives the jti of an access token.
func tokenID(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("not a JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		ID string `json:"jti"`
	}
	err = json.Unmarshal(raw, &claims)
	return claims.ID, err
}
