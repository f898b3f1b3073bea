package registration

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/oauth"
)

// UseStore keeps when clients were last used.
type UseStore interface {
	// NoteUses notes uses; the last use of a client never goes back.
	NoteUses(ctx context.Context, uses []Use) error
	// Uses gives the last use of each client of a tenant that was ever used.
	Uses(ctx context.Context, tenant string) (map[string]time.Time, error)
	// ClientsWithGrants gives the clients to which a grant was made that stands.
	ClientsWithGrants(ctx context.Context, tenant string, now time.Time) ([]string, error)
}

// Use says when a client was used.
type Use struct {
	Tenant, ClientID string
	At               time.Time
}

// Uses notes which clients are used, once a day each, apart from requests. It is
// safe for concurrent use.
type Uses struct {
	Store UseStore
	Log   *slog.Logger

	mu   sync.Mutex
	day  int64
	seen map[Use]bool
	held []Use
}

// noteEvery is how often uses are written.
const noteEvery = 10 * time.Second

// Observe takes committed events in. It neither waits nor fails. Only what a client
// got counts: anybody may name one.
func (u *Uses) Observe(events []audit.Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range events {
		if e.ClientID == "" || e.Outcome != audit.Success || !isUse(e.Kind) {
			continue
		}
		if day := e.Time.Unix() / int64(24*time.Hour/time.Second); day != u.day || u.seen == nil {
			u.day, u.seen = day, map[Use]bool{}
		}
		key := Use{Tenant: e.Tenant, ClientID: e.ClientID}
		if !u.seen[key] {
			u.seen[key] = true
			u.held = append(u.held, Use{e.Tenant, e.ClientID, e.Time})
		}
	}
}

func isUse(k audit.Kind) bool {
	switch k {
	case audit.GrantCreated, audit.TokenIssued, audit.TokenIntrospected, audit.LaunchRegistered,
		audit.FHIRRead, audit.FHIRSearch, audit.FHIRWrite, audit.FHIROperation:
		return true
	}
	return false
}

// Run writes what was taken in, until ctx ends, and then once more.
func (u *Uses) Run(ctx context.Context) {
	tick := time.NewTicker(noteEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			u.flush(ctx)
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			u.flush(late)
			return
		}
	}
}

// flush writes what is held. What cannot be written is noted at the next use.
func (u *Uses) flush(ctx context.Context) {
	u.mu.Lock()
	held := u.held
	u.held = nil
	u.mu.Unlock()
	if len(held) == 0 {
		return
	}
	err := u.Store.NoteUses(ctx, held)
	if err == nil {
		return
	}
	if ctx.Err() == nil {
		u.Log.WarnContext(ctx, "uses of clients not stored", "count", len(held), "err", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, one := range held {
		delete(u.seen, Use{Tenant: one.Tenant, ClientID: one.ClientID})
	}
}

// Idle ends clients that nobody uses: first it marks one, for everybody to see,
// and only when it was not used for a while after that either, disables it.
type Idle struct {
	*Service
	Uses UseStore
	// After is how long a client may be unused, Grace how long it stays marked.
	After, Grace time.Duration
}

// The reasons of audit events about idle clients.
const (
	ReasonIdleMarked = "client-idle-marked"
	ReasonUsedAgain  = "client-used-again"
	ReasonIdle       = "client-idle"
)

// Tend looks at the clients of a tenant once and gives those that it changed. A
// client to which a grant stands is never idle. Errors: errs.Unavailable.
func (i *Idle) Tend(ctx context.Context, tenant string) ([]oauth.Client, error) {
	all, err := i.List(ctx, tenant)
	if err != nil {
		return nil, err
	}
	uses, err := i.Uses.Uses(ctx, tenant)
	if err != nil {
		return nil, err
	}
	now := i.Clock.Now()
	unused := func(c oauth.Client) bool { return now.Sub(LastUse(c, uses)) >= i.After }
	all = slices.DeleteFunc(all, func(c oauth.Client) bool {
		return c.Disabled || c.Registration.Idle.IsZero() && !unused(c)
	})
	if len(all) == 0 {
		return nil, nil
	}
	granted, err := i.Uses.ClientsWithGrants(ctx, tenant, now)
	if err != nil {
		return nil, err
	}
	var out []oauth.Client
	for _, c := range all {
		act := i.act(c, !unused(c) || slices.Contains(granted, c.ID), now)
		if act == "" {
			continue
		}
		if c, err = i.change(ctx, c, act, now); err != nil {
			return out, err
		}
		out = append(out, c)
	}
	return out, nil
}

// act gives what is to be done about a client, "" for nothing.
func (i *Idle) act(c oauth.Client, used bool, now time.Time) string {
	marked := c.Registration.Idle
	switch {
	case used && !marked.IsZero():
		return ReasonUsedAgain
	case used:
		return ""
	case marked.IsZero():
		return ReasonIdleMarked
	case now.Sub(marked) >= i.Grace:
		return ReasonIdle
	}
	return ""
}

func (i *Idle) change(ctx context.Context, c oauth.Client, act string, now time.Time) (oauth.Client, error) {
	if act == ReasonIdle {
		return i.Disable(ctx, c.Tenant, c.ID, ReasonIdle, audit.Event{})
	}
	return i.Update(ctx, Change{Tenant: c.Tenant, ID: c.ID, Reason: act, Apply: func(c *oauth.Client) error {
		c.Registration.Idle = time.Time{}
		if act == ReasonIdleMarked {
			c.Registration.Idle = now
		}
		return nil
	}})
}

// LastUse gives when a client was last used, or let in, whichever is later.
func LastUse(c oauth.Client, uses map[string]time.Time) time.Time {
	last := uses[c.ID]
	for _, at := range []time.Time{c.Created, c.Registration.Approved, c.Registration.Enabled} {
		if at.After(last) {
			last = at
		}
	}
	return last
}
