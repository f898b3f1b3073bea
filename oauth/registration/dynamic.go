package registration

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
)

// Dynamic is registration by the client itself (RFC 7591) and its management
// (RFC 7592).
type Dynamic struct {
	*Service
	Policy
	// HashSecret gives the form in which a client secret is stored.
	HashSecret func(h ids.Hasher, secret string) string
	// Admit counts a request of a client that showed its registration access
	// token; nil counts nothing. Errors: errs.RateLimited.
	Admit func(ctx context.Context, tenant, clientID string) error
}

// Request is a registration request. Token is the initial access token or, for
// management, the registration access token, "" for none.
type Request struct {
	Tenant string
	// ID is the client that is managed, "" for a new one.
	ID       string
	Metadata Metadata
	Token    string
	Origin   audit.Event
}

// Issued is a registered client with what is shown this once. Secret is empty
// for a client without one, and where the one that it has goes on.
type Issued struct {
	Client oauth.Client
	Secret string
	// Token is the registration access token.
	Token string
}

// Register registers a client. Errors: errs.NotFound with code registration-off;
// errs.Unauthenticated with code initial-token-missing or initial-token; those
// of Faults.Err and of Offer; errs.Unavailable.
func (d *Dynamic) Register(ctx context.Context, r Request) (Issued, error) {
	switch {
	case d.Mode != ByToken && d.Mode != ByApproval:
		return Issued{}, errOff()
	case d.Mode == ByToken && r.Token == "":
		return Issued{}, errs.New(errs.Unauthenticated, "initial-token-missing", "Registration needs an initial access token of the organization.")
	}
	c, err := d.judge(oauth.Client{}, r.Metadata, Rights{})
	if err != nil {
		return Issued{}, err
	}
	h, err := d.Hasher(ctx, r.Tenant)
	if err != nil {
		return Issued{}, err
	}
	now := d.Clock.Now()
	c.Tenant, c.ID, c.Created = r.Tenant, d.IDs.ID(), now
	c.Registration = oauth.Registration{By: oauth.RegisteredDynamically, Asked: now}
	if r.Token != "" || d.AutoPatient && onePatient(c) {
		c.Registration.Approved = now
	} else {
		c.Registration.Pending, c.Disabled = true, true
	}
	out := Issued{Token: d.newToken(h, &c)}
	if c.Kind == oauth.ClientSymmetric {
		out.Secret = d.newSecret(h, &c)
	}
	out.Client = c
	err = d.Tx.InTx(ctx, func(tx Tx) error {
		if r.Token != "" {
			if err := d.accept(ctx, tx, r.Tenant, r.Token); err != nil {
				return err
			}
		}
		reason := ReasonPending
		if !c.Registration.Pending {
			reason = ""
		}
		return d.put(ctx, tx, c, event(r.Origin, c, audit.ClientRegistered, "C", reason))
	})
	return out, err
}

func errOff() error {
	return errs.New(errs.NotFound, "registration-off", "Clients are not registered dynamically here.")
}

// judge gives the client that metadata describes, with the rights that an
// operator gave it; have is what it was before. Errors: those of Faults.Err and of
// Offer.
func (d *Dynamic) judge(have oauth.Client, m Metadata, rights Rights) (oauth.Client, error) {
	entry := Entry{Metadata: m, Rights: rights}
	if m.Scope == "" && !entry.ForItself() {
		entry.Scope = patientScopes
	}
	c, faults := Rules{Development: d.Development}.Check(entry)
	if entry.Scope == "" {
		faults.add("scope", "is missing: a client that acts for itself must say what it needs")
	}
	if err := faults.Err(); err != nil {
		return c, err
	}
	return c, d.Offer.Refuse(have, c)
}

// newToken gives the client a new registration access token.
func (d *Dynamic) newToken(h ids.Hasher, c *oauth.Client) string {
	token := d.IDs.Secret()
	c.Registration.TokenHash = tokenHash(h.At(time.Time{}), token)
	return token
}

// newSecret gives the client a first secret.
func (d *Dynamic) newSecret(h ids.Hasher, c *oauth.Client) string {
	secret := d.IDs.Secret()
	c.SecretHashes = []string{d.HashSecret(h, secret)}
	return secret
}

// owns reports whether a token is the client's registration access token.
func owns(c oauth.Client, h ids.Hasher, token string) bool {
	stored := c.Registration.TokenHash
	return stored != "" && token != "" && c.Deleted.IsZero() && equal(stored, tokenHash(h.Of(stored), token))
}

func equal(a, b string) bool { return ids.Equal(a, b) }

// errToken is the refusal of every request for management that shows no token of
// that client, alike for clients that are not there (RFC 7592 §2.1).
func errToken() error {
	return errs.New(errs.Unauthenticated, "registration-token", "The registration access token is not valid for this client.")
}

// Managed gives a client to its maker. Errors: errs.Unauthenticated with code
// registration-token, also while registration is off; errs.Unavailable.
func (d *Dynamic) Managed(ctx context.Context, r Request) (oauth.Client, error) {
	if d.Mode == Off || d.Mode == "" {
		return oauth.Client{}, errToken()
	}
	h, err := d.Hasher(ctx, r.Tenant)
	if err != nil {
		return oauth.Client{}, err
	}
	c, err := d.Read.ClientByID(ctx, r.Tenant, r.ID)
	if errs.Is(err, errs.NotFound) || err == nil && !owns(c, h, r.Token) {
		return oauth.Client{}, errToken()
	}
	if err == nil && d.Admit != nil {
		err = d.Admit(ctx, r.Tenant, c.ID)
	}
	if err != nil {
		return c, err
	}
	return d.renew(ctx, h, c, r.Token)
}

// renew hashes a registration access token anew that was hashed under an older
// key, so that the key can go.
func (d *Dynamic) renew(ctx context.Context, h ids.Hasher, c oauth.Client, token string) (oauth.Client, error) {
	was, newest := c.Registration.TokenHash, h.At(time.Time{})
	if ids.Mark(was) == newest.Mark() {
		return c, nil
	}
	c.Registration.TokenHash = tokenHash(newest, token)
	return c, d.Tx.InTx(ctx, func(tx Tx) error {
		_, err := tx.RenewSecret(ctx, c.Tenant, c.ID, was, c.Registration.TokenHash)
		return err
	})
}

// tokenHash gives the form in which a registration access token is stored.
func tokenHash(h ids.Hasher, token string) string {
	return h.Mark() + h.Hash("registration-token", token)
}

// Replace replaces the metadata of a client by its maker (RFC 7592 §2.2), and
// its registration access token. What an operator or a person goes by (name,
// addresses, wider scopes) waits for approval anew, unless policy approves it at
// once. Errors: those of Managed, of Faults.Err and of Offer; errs.Conflict when somebody
// else changed the client meanwhile.
func (d *Dynamic) Replace(ctx context.Context, r Request) (Issued, error) {
	if _, err := d.Managed(ctx, r); err != nil {
		return Issued{}, err
	}
	h, err := d.Hasher(ctx, r.Tenant)
	if err != nil {
		return Issued{}, err
	}
	var out Issued
	out.Client, err = d.Update(ctx, Change{Tenant: r.Tenant, ID: r.ID, Reason: ReasonEdited, Origin: r.Origin, Apply: func(c *oauth.Client) error {
		if !owns(*c, h, r.Token) {
			return errToken()
		}
		next, err := d.judge(*c, r.Metadata, rightsOf(*c, r.Metadata))
		if err != nil {
			return err
		}
		*c = d.over(*c, next)
		out.Token, out.Secret = d.newToken(h, c), ""
		if c.Kind == oauth.ClientSymmetric && len(c.SecretHashes) == 0 {
			out.Secret = d.newSecret(h, c)
		}
		return nil
	}})
	return out, err
}

// rightsOf gives the rights that a client has beside what it says of itself. Grant
// types that it names anew decide on those that are asked for so.
func rightsOf(c oauth.Client, m Metadata) Rights {
	rights := Of(c).Rights
	if m.GrantTypes != nil {
		rights.DeviceFlow, rights.TokenExchange = false, false
	}
	return rights
}

// over puts what a client says of itself over what is registered.
func (d *Dynamic) over(have, next oauth.Client) oauth.Client {
	next.Tenant, next.ID, next.Created, next.Epoch = have.Tenant, have.ID, have.Created, have.Epoch
	next.Disabled, next.Registration, next.Verified = have.Disabled, have.Registration, have.Verified
	if next.Kind == oauth.ClientSymmetric && have.Kind == oauth.ClientSymmetric {
		next.SecretHashes = have.SecretHashes
	}
	if material(have, next) && !(d.AutoPatient && onePatient(next)) && !next.Registration.Pending {
		next.Registration.Pending, next.Disabled, next.Epoch = true, true, next.Epoch+1
		next.Registration.Asked, next.Registration.Authentic, next.Registration.Approved = d.Clock.Now(), time.Time{}, time.Time{}
		next.Verified = time.Time{}
	}
	return next
}

// material reports whether a change touches what an operator or a person goes
// by: who it is, where people and what is told of them are sent, what it may ask
// for, and how well it is bound. Keys, contacts, versions and formats of answers
// are the maker's own; what the ratchet holds cannot change.
func material(have, next oauth.Client) bool {
	return have.Name != next.Name || have.Publisher != next.Publisher || have.LogoURI != next.LogoURI || have.ClientURI != next.ClientURI ||
		have.PolicyURI != next.PolicyURI || have.TosURI != next.TosURI || have.Kind != next.Kind || have.SoftwareID != next.SoftwareID ||
		!maps.Equal(have.RequiredScopes, next.RequiredScopes) || have.BackchannelLogoutURI != next.BackchannelLogoutURI ||
		next.DeviceFlow && !have.DeviceFlow || next.TokenExchange && !have.TokenExchange ||
		have.DPoPBound && !next.DPoPBound || have.CertificateBound && !next.CertificateBound || have.DPoPNonce && !next.DPoPNonce ||
		have.DefaultMaxAge != next.DefaultMaxAge || !slices.Equal(have.DefaultACR, next.DefaultACR) ||
		beyond(next.PostLogoutRedirectURIs, have.PostLogoutRedirectURIs) ||
		beyond(next.RedirectURIs, have.RedirectURIs) || beyond(next.LaunchURIs, have.LaunchURIs) || beyond(next.Origins(), have.Origins()) ||
		wider(have.Scopes, next.Scopes)
}

// beyond reports whether a list holds something that another does not.
func beyond(list, than []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(than, s) })
}

// wider reports whether a ceiling lets through what another did not.
func wider(before, after string) bool {
	old, err := scope.Parse(before, scope.Limits{})
	if err != nil {
		return true
	}
	for _, token := range strings.Fields(after) {
		if s, clinical := scope.ParseScope(token); clinical && old.Clinical.Covers(s) {
			continue
		}
		if !slices.Contains(old.Texts, token) {
			return true
		}
	}
	return false
}

// Remove deletes a client by its maker (RFC 7592 §2.3). Errors: those of Managed.
func (d *Dynamic) Remove(ctx context.Context, r Request) error {
	if _, err := d.Managed(ctx, r); err != nil {
		return err
	}
	return d.Delete(ctx, r.Tenant, r.ID, ReasonDeletedByMaker, r.Origin)
}
