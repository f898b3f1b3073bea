package registration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
)

// maxSecrets are valid at once, so that a client can move from one to the next.
const maxSecrets = 2

// Desk is where operators register and change clients.
type Desk struct {
	*Service
	Rules Rules
	// Offer is what a client may be registered for here.
	Offer Offer
	// HashSecret gives the form in which a client secret is stored.
	HashSecret func(h ids.Hasher, secret string) string
	// Holidays are those of the clocks of approval.
	Holidays Holidays
	// Administration lets an entry hold scopes of the administration API.
	Administration bool
}

// Register registers a client for an operator. A symmetric one gets a secret,
// which is shown this once. Errors: those of Faults.Err, of Offer and of Create.
func (d *Desk) Register(ctx context.Context, tenant string, e Entry, origin audit.Event) (Issued, error) {
	c, err := d.check(e)
	if err == nil {
		err = d.Offer.Refuse(oauth.Client{}, c)
	}
	if err != nil {
		return Issued{}, err
	}
	c.Tenant = tenant
	now := d.Clock.Now()
	c.Registration.Asked, c.Registration.Approved = now, now
	var out Issued
	if c.Kind == oauth.ClientSymmetric {
		h, err := d.Hasher(ctx, tenant)
		if err != nil {
			return Issued{}, err
		}
		out.Secret = d.IDs.Secret()
		c.SecretHashes = []string{d.HashSecret(h, out.Secret)}
	}
	out.Client, err = d.Create(ctx, c, origin)
	return out, err
}

// check judges an entry. Who may register clients gives none the right to
// administer: else that right would open all others.
func (d *Desk) check(e Entry) (oauth.Client, error) {
	c, faults := d.Rules.Check(e)
	if c.Scopes == "" {
		faults.add("scope", "is missing")
	}
	if !d.Administration && slices.ContainsFunc(strings.Fields(c.Scopes), oauth.AdminScope) {
		faults.add("scope", "holds a scope of the administration API, which only mandate client add gives")
	}
	return c, faults.Err()
}

// Editing puts an entry in place of what is registered of a client. IfVersion is
// what VersionOf gave of what its author last saw, "" for whatever is there.
type Editing struct {
	Entry
	IfVersion string
	// Loosen lets it ask less of the client for its security than it is asked now;
	// else that is kept, or with Tell refused.
	Loosen, Tell bool
	Origin       audit.Event
}

// VersionOf names what is registered of a client: it changes when an entry or
// its standing does, and not when a secret is rotated.
func VersionOf(c oauth.Client) string {
	// An entry is made of texts, numbers and JSON that was read before.
	raw, _ := json.Marshal(struct {
		Entry
		Status string `json:"status"`
	}{Of(c), StatusOf(c)})
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:12])
}

// Edit replaces what is registered of a client. Its secrets stay while it has a
// use for them. Errors: those of Faults.Err, of Offer and of Update; errs.Unprocessable
// with code client-kind for a change to a secret, which needs a new client;
// errs.Conflict with code client-loosened; errs.PreconditionFailed with code
// client-changed where somebody changed it
// meanwhile.
func (d *Desk) Edit(ctx context.Context, tenant string, e Editing) (oauth.Client, error) {
	next, err := d.check(e.Entry)
	if err != nil {
		return oauth.Client{}, err
	}
	return d.Update(ctx, Change{Tenant: tenant, ID: e.ID, Reason: ReasonEdited, Loosen: e.Loosen, Origin: e.Origin, Apply: func(c *oauth.Client) error {
		have := *c
		if have.Registration.By == oauth.RegisteredByDocument {
			return errs.New(errs.Conflict, "client-by-document",
				"What is registered of this client stands in the document at its client_id, which its maker changes; you may approve, disable or delete it.")
		}
		if err := d.Offer.Refuse(have, next); err != nil {
			return err
		}
		if e.IfVersion != "" && e.IfVersion != VersionOf(have) {
			return errs.New(errs.PreconditionFailed, "client-changed", "The client was changed meanwhile: look at it again.")
		}
		if next.Kind == oauth.ClientSymmetric && have.Kind != oauth.ClientSymmetric {
			return errs.New(errs.Unprocessable, "client-kind", "A client with keys, or public, does not become one with a secret: register another one.")
		}
		*c = next
		c.Tenant, c.Created, c.Epoch, c.Verified = have.Tenant, have.Created, have.Epoch, have.Verified
		c.Disabled, c.Registration = have.Disabled, have.Registration
		if next.Kind == oauth.ClientSymmetric {
			c.SecretHashes = have.SecretHashes
		}
		if e.Tell && !e.Loosen {
			return ratchet(have, *c)
		}
		return nil
	}})
}

// RotateSecret gives a symmetric client a new secret; the one before stays valid
// until RetireSecret, or the next rotation. Errors: those of Update;
// errs.Unprocessable with code client-without-secret.
func (d *Desk) RotateSecret(ctx context.Context, tenant, id string, origin audit.Event) (Issued, error) {
	h, err := d.Hasher(ctx, tenant)
	if err != nil {
		return Issued{}, err
	}
	out := Issued{Secret: d.IDs.Secret()}
	hash := d.HashSecret(h, out.Secret)
	out.Client, err = d.secrets(ctx, tenant, id, ReasonSecret, origin, func(have []string) []string {
		all := append([]string{hash}, have...)
		return all[:min(len(all), maxSecrets)]
	})
	return out, err
}

// RetireSecret makes all secrets but the newest invalid. Errors: as for
// RotateSecret.
func (d *Desk) RetireSecret(ctx context.Context, tenant, id string, origin audit.Event) (oauth.Client, error) {
	return d.secrets(ctx, tenant, id, ReasonRetired, origin, func(have []string) []string { return have[:min(len(have), 1)] })
}

func (d *Desk) secrets(ctx context.Context, tenant, id, reason string, origin audit.Event, change func([]string) []string) (oauth.Client, error) {
	return d.Update(ctx, Change{Tenant: tenant, ID: id, Reason: reason, Origin: origin, Apply: func(c *oauth.Client) error {
		if c.Kind != oauth.ClientSymmetric {
			return errs.New(errs.Unprocessable, "client-without-secret", "The client has no secret: its keys are replaced with its registration.")
		}
		c.SecretHashes = change(slices.Clone(c.SecretHashes))
		return nil
	}})
}
