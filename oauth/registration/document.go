package registration

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/shelf"
	"github.com/mandate-health/mandate/oauth"
)

// Documents knows the clients whose client_id is the address of a document that
// describes them (draft-ietf-oauth-client-id-metadata-document). Such a client
// is registered when it is first seen, by the rules and the approval of dynamic
// registration, and again whenever its document has changed. It is safe for
// concurrent use.
type Documents struct {
	// Read gives what is registered; it may say what was true a moment ago.
	Read interface {
		ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
	}
	// Of gives the registration of a tenant and the hosts whose documents it
	// takes, none for a tenant that takes no documents.
	Of func(tenant string) (*Dynamic, Hosts)
	// Fetch gets a document and says for how long it may be kept.
	Fetch func(ctx context.Context, location string) (body []byte, life time.Duration, err error)
	Clock clock.Clock

	mu   sync.Mutex
	seen *shelf.Shelf[sight, *look]
}

// How long a document is kept at least and at most, and how long one that could
// not be had is not asked for again.
const (
	leastKept = time.Minute
	mostKept  = 24 * time.Hour
	lookPause = 30 * time.Second
	// maxLooks and lookBytes bound what is remembered of documents, maxAsking how many clients
	// of documents wait for approval at a tenant.
	maxLooks  = 4096
	lookBytes = 4 << 20
	maxAsking = 500
)

type sight struct{ tenant, location string }

// look is what this node last found at an address. flight is closed when the
// fetch under way has ended.
type look struct {
	fresh, failed time.Time
	err           error
	flight        chan struct{}
}

// Current gives a client for a person to decide on: one that is known by its
// document only as its document has it now. Errors: errs.NotFound for a client
// that is not known; errs.InvalidRequest with code client-document-unavailable,
// client-document-refused, client-document-many or client-document-pending;
// errs.Unavailable.
func (d *Documents) Current(ctx context.Context, tenant, id string) (oauth.Client, error) {
	c, err := d.read(ctx, tenant, id)
	if !d.documented(c, err, id) {
		return c, err
	}
	reg, hosts := d.Of(tenant)
	if !hosts.Take(id, reg.Development) {
		return oauth.Client{}, errNoClient()
	}
	if err := d.look(ctx, reg, sight{tenant, id}); err != nil {
		return oauth.Client{}, err
	}
	c, err = d.read(ctx, tenant, id)
	if err == nil && c.Registration.Pending {
		return c, errs.New(errs.InvalidRequest, "client-document-pending", "The app is known by its document and waits for the approval of the organization.")
	}
	return c, err
}

// ClientByID gives a client to be authenticated. One whose document cannot be
// had at the moment is as it was last seen. Errors: errs.NotFound;
// errs.InvalidClient with the codes of Current; errs.Unavailable.
func (d *Documents) ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error) {
	c, err := d.read(ctx, tenant, id)
	if !d.documented(c, err, id) {
		return c, err
	}
	now, failure := d.Current(ctx, tenant, id)
	switch {
	case failure == nil || errs.Is(failure, errs.NotFound) || errs.Is(failure, errs.Unavailable):
		return now, failure
	case err == nil && errs.As(failure).Code != "client-document-pending":
		return c, nil
	}
	e := errs.As(failure)
	return oauth.Client{}, errs.Wrap(failure, errs.InvalidClient, e.Code, e.Msg)
}

// read gives what is registered. Most ids are no address and cost nothing more.
func (d *Documents) read(ctx context.Context, tenant, id string) (oauth.Client, error) {
	return d.Read.ClientByID(ctx, tenant, id)
}

// documented reports whether a client, or an id under which there is none, is
// described by a document at the address that the id is. One that an operator
// disabled or deleted is not looked at again.
func (d *Documents) documented(c oauth.Client, err error, id string) bool {
	if err != nil {
		return errs.Is(err, errs.NotFound) && documentAddress(id)
	}
	return c.Registration.By == oauth.RegisteredByDocument && (!c.Disabled || c.Registration.Pending)
}

func errNoClient() error {
	return errs.New(errs.NotFound, "client-not-found", "There is no such client.")
}

// look makes sure that a document was read lately, by one fetch at a time.
func (d *Documents) look(ctx context.Context, reg *Dynamic, at sight) error {
	d.mu.Lock()
	l := d.remembered(at)
	now := d.Clock.Now()
	switch {
	case within(now, l.failed, lookPause):
		defer d.mu.Unlock()
		return l.err
	case within(now, l.fresh, mostKept):
		d.mu.Unlock()
		return nil
	case l.flight == nil:
		l.flight = make(chan struct{})
		go d.fly(context.WithoutCancel(ctx), reg, at, l)
	}
	flight := l.flight
	d.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return errs.Wrap(ctx.Err(), errs.Unavailable, "client-document-slow", "The document of this client has not arrived yet.")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return l.err
}

// within reports whether until lies ahead, by no more than span: a clock that was
// turned back prolongs nothing.
func within(now, until time.Time, span time.Duration) bool {
	return now.Before(until) && until.Sub(now) <= span
}

// remembered gives what is known of an address; d.mu is held. An address at which
// there is no good document makes nobody forget one at which there is.
func (d *Documents) remembered(at sight) *look {
	if d.seen == nil {
		d.seen = shelf.New[sight, *look](maxLooks, lookBytes)
	}
	return d.seen.Entry(at, func() *look { return &look{} })
}

// fly reads a document once and notes the outcome.
func (d *Documents) fly(ctx context.Context, reg *Dynamic, at sight, l *look) {
	life, err := d.learn(ctx, reg, at)
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Clock.Now()
	l.err, l.failed, l.fresh = err, time.Time{}, now.Add(min(max(life, leastKept), mostKept))
	if err == nil {
		d.seen.Holds(at, int64(len(at.tenant)+len(at.location)))
	}
	// What the store could not do is tried again at once.
	if err != nil {
		l.fresh = time.Time{}
		if !errs.Is(err, errs.Unavailable) {
			l.failed = now.Add(lookPause)
		}
	}
	close(l.flight)
	l.flight = nil
}

// learn fetches a document, judges it and registers what it says.
func (d *Documents) learn(ctx context.Context, reg *Dynamic, at sight) (time.Duration, error) {
	body, life, err := d.Fetch(ctx, at.location)
	if err != nil {
		return 0, errs.Wrap(err, errs.InvalidRequest, "client-document-unavailable", "The client_id is the address of a document that cannot be fetched.")
	}
	next, err := reg.described(at.location, body)
	if err != nil {
		return 0, err
	}
	next.Tenant, next.ID = at.tenant, at.location
	return life, reg.keep(ctx, next)
}

// keep registers a client as its document describes it, unless it is registered
// so. Errors: errs.InvalidRequest with code client-document-many;
// errs.Unavailable.
func (d *Dynamic) keep(ctx context.Context, next oauth.Client) error {
	have, err := d.Service.Read.ClientByID(ctx, next.Tenant, next.ID)
	switch {
	case errs.Is(err, errs.NotFound):
		return d.meet(ctx, next)
	case err != nil:
		return err
	case !have.Deleted.IsZero() || have.Registration.By != oauth.RegisteredByDocument || same(have, d.over(have, next)):
		return nil
	}
	_, err = d.Update(ctx, Change{Tenant: next.Tenant, ID: next.ID, Reason: ReasonEdited, Apply: func(c *oauth.Client) error {
		*c = d.over(*c, next)
		return nil
	}})
	return err
}

// meet registers a client that was never seen. Two nodes may meet it at once.
func (d *Dynamic) meet(ctx context.Context, c oauth.Client) error {
	now, reason := d.Clock.Now(), ""
	c.Registration = oauth.Registration{By: oauth.RegisteredByDocument, Asked: now}
	if d.AutoPatient && onePatient(c) {
		c.Registration.Approved = now
	} else {
		waiting, err := d.Waiting(ctx, c.Tenant)
		if err != nil {
			return err
		}
		if len(waiting) >= maxAsking {
			return errs.New(errs.InvalidRequest, "client-document-many", "Too many clients wait for approval; try again when the organization has decided on some.")
		}
		c.Registration.Pending, c.Disabled, reason = true, true, ReasonPending
	}
	_, err := d.create(ctx, c, audit.Event{}, reason)
	if errs.Is(err, errs.Conflict) {
		return nil
	}
	return err
}

// same reports whether two clients are registered alike.
func same(a, b oauth.Client) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
