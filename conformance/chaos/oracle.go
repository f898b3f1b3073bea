package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// Back returns when a person and an app get all they ask for again: the
// service came back without a hand. Errors: the last failure, when ctx ended
// before.
func (d *Driver) Back(ctx context.Context) error {
	for {
		t := d.target.Load()
		l, ok := d.launch(t, t.Client("symmetric"), t.NewBrowser(t.Person("rosa")))
		if ok && d.redeem(l) == done && d.rotate(l) == done {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the service did not come back: %w", ctx.Err())
		}
		pause(ctx)
	}
}

// Judge asks the server about everything that was remembered, and forgets it.
// It gives what is wrong, and how many lives it judged.
func (d *Driver) Judge(ctx context.Context) (faults []string, judged int) {
	d.mu.Lock()
	lives := d.lives
	d.lives = nil
	d.mu.Unlock()
	d.judgeAudit(ctx, lives)
	for _, l := range lives {
		if l.code != nil {
			d.judgeRevoked(ctx, l)
			d.judgeRefresh(ctx, l)
			d.judgeCode(ctx, l)
		}
	}
	return d.Faults(), len(lives)
}

// Kept is what was spent or ended for good.
type Kept struct{ lives []*life }

// Keep gives everything remembered that must never work again, whatever the
// clock says; the driver forgets it.
func (d *Driver) Keep() Kept {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := Kept{d.lives}
	d.lives = nil
	return k
}

// Replay presents it again: codes, assertions and revoked tokens.
func (d *Driver) Replay(ctx context.Context, k Kept) {
	for _, l := range k.lives {
		if l.code != nil {
			d.judgeRevoked(ctx, l)
			d.judgeCode(ctx, l)
			// The replay of a code ends what came of it.
			l.revoked = true
			continue
		}
		t := d.target.Load()
		res, err := t.Do(ctx, kit.Request{URL: t.Config.Token, Form: l.form})
		if err != nil || res.Status < 400 || res.Status >= 500 {
			d.fault("an assertion presented again gets %v %v", res, err)
		}
	}
}

// Offset gives by how much the clock of a development server is off, and lets
// the driver sign by that clock from now on.
func (d *Driver) Offset(ctx context.Context, now time.Time) (time.Duration, error) {
	t := d.target.Load()
	if err := t.Advance(ctx, 0); err != nil {
		return 0, err
	}
	return t.Now().Sub(now), nil
}

// judgeAudit looks for each token that was given in the audit log.
func (d *Driver) judgeAudit(ctx context.Context, lives []*life) {
	logs := map[string]map[string]bool{}
	for _, l := range lives {
		if logs[l.client.ID] == nil {
			issued, err := d.issued(ctx, l.client.ID)
			if err != nil {
				d.fault("the audit log cannot be read: %v", err)
				return
			}
			logs[l.client.ID] = issued
		}
		for _, token := range l.access {
			id, err := tokenID(token)
			if err != nil || id == "" {
				d.fault("an access token has no jti: %v", err)
				return
			}
			if !logs[l.client.ID][id] {
				d.fault("a token of %s was given without its audit event", l.client.ID)
			}
		}
	}
}

// issued gives the ids of the tokens that the audit log says a client got.
func (d *Driver) issued(ctx context.Context, client string) (map[string]bool, error) {
	t := d.target.Load()
	out := map[string]bool{}
	q := url.Values{"client_id": {client}, "kind": {"token.issued"}}
	for {
		res, err := t.Do(ctx, kit.Request{URL: t.AdminAPI.URL + "/audit?" + q.Encode(), Bearer: t.AdminAPI.Token})
		if err != nil || res.Status != http.StatusOK {
			return nil, errors.Join(fmt.Errorf("%v", res), err)
		}
		var page struct {
			Events []struct {
				Time    time.Time
				TokenID string
			}
		}
		if err := json.Unmarshal(res.Body, &page); err != nil {
			return nil, err
		}
		known := len(out)
		for _, e := range page.Events {
			out[e.TokenID] = true
			// The next page begins with those of the same time.
			q.Set("before", e.Time.Add(time.Microsecond).Format(time.RFC3339Nano))
		}
		if len(out) == known {
			return out, nil
		}
	}
}

// judgeRevoked checks that what was revoked stays so.
func (d *Driver) judgeRevoked(ctx context.Context, l *life) {
	if !l.revoked {
		return
	}
	t := d.target.Load()
	for _, token := range l.access {
		res, err := t.Introspect(ctx, t.Client("symmetric"), token)
		if err != nil || res.Status != http.StatusOK || res.JSON()["active"] != false {
			d.fault("a revoked token is alive: %v %v", res, err)
		}
	}
	if res, err := t.Refresh(ctx, l.client, l.refresh, ""); err != nil || res.Status != http.StatusBadRequest {
		d.fault("a revoked grant refreshes: %v %v", res, err)
	}
}

// judgeRefresh checks that the newest token works, that an older one does not,
// and that presenting the older one ended the newest (SMART REF-09).
func (d *Driver) judgeRefresh(ctx context.Context, l *life) {
	if l.revoked || l.undecided || l.unsure || l.refresh == "" {
		return
	}
	if d.rotate(l) != done || l.next[l.first] == l.refresh {
		// A token whose successor was not used yet may be presented again.
		return
	}
	t := d.target.Load()
	for _, token := range []string{l.first, l.refresh} {
		if res, err := t.Refresh(ctx, l.client, token, ""); err != nil || res.Status != http.StatusBadRequest {
			d.fault("after a replay a refresh token is honoured: %v %v", res, err)
		}
	}
}

// judgeCode presents the code again, twice.
func (d *Driver) judgeCode(ctx context.Context, l *life) {
	t := d.target.Load()
	for range 2 {
		res, err := t.Call(ctx, t.Config.Token, l.client, kit.CodeForm(l.code.Code, l.code.Redirect, l.code.Verifier))
		switch {
		case err != nil:
			d.fault("a code presented again gets no answer: %v", err)
		case res.Status == http.StatusOK:
			if l.redeemed++; l.redeemed > 1 {
				d.fault("a code was honoured twice")
			}
		case res.Status != http.StatusBadRequest:
			d.fault("a code presented again gets %s", res)
		}
	}
}
