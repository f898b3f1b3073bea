package directory

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
)

// Accounts does what an account of the directory needs of identity; identity.Service
// is one.
type Accounts interface {
	CloseTx(ctx context.Context, tx identity.Tx, p identity.Person, reason string, m identity.Meta) error
	EnrolTx(ctx context.Context, tx identity.Tx, p identity.Person, to string, m identity.Meta) error
	KeepTx(ctx context.Context, tx identity.Tx, p identity.Person, m identity.Meta) error
	UnlinkTx(ctx context.Context, tx identity.Tx, p identity.Person, m identity.Meta) error
}

// Reader answers reads outside of a transaction.
type Reader interface {
	Store
	PersonByUsername(ctx context.Context, tenant, username string) (identity.Person, error)
}

// Service holds the use-cases. It is safe for concurrent use.
type Service struct {
	Tx       txn.Runner[Tx]
	Read     Reader
	Accounts Accounts
	Clock    clock.Clock
	IDs      ids.Source
	// Groups are those of the configuration.
	Groups []Group
	// ByMail says that new people get a link by which they enrol; else they sign in at
	// an identity provider.
	ByMail bool
	// Elsewhere says that new people sign in with a password that a directory keeps:
	// the link sets up their second factor only.
	Elsewhere bool
}

// Caller is who asks, and where.
type Caller struct {
	Tenant string
	// Base is the address of the API, without a slash at its end.
	Base string
	// By prepares the audit event.
	By audit.Event
	// Match is If-Match, "" for none.
	Match string
}

// Why log-ins and grants end.
const (
	endedByDirectory = "account-deactivated"
	endedByRole      = "role-changed"
)

func (c Caller) meta() identity.Meta {
	return identity.Meta{Address: c.By.Network, RequestID: c.By.RequestID}
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) role(group string) (identity.Role, bool) {
	for _, g := range s.Groups {
		if g.ID() == group {
			return g.Role, true
		}
	}
	return "", false
}

// Create makes the account of a member of staff. It has no role before a group gives
// one, and no password. Errors: errs.Invalid with code scim-syntax, scim-value,
// scim-attribute-unknown or scim-password; errs.Conflict with code
// scim-username-taken, scim-external-id-taken, scim-email-taken or
// scim-practitioner-taken; errs.Unavailable.
func (s *Service) Create(ctx context.Context, c Caller, body map[string]any) (User, error) {
	u, err := read(body)
	if err != nil {
		return User{}, err
	}
	fresh := Entry{Person: identity.Person{Tenant: c.Tenant, ID: s.IDs.ID(), Role: identity.RoleStaff, Created: s.now()}}
	fresh.Active = true
	if err := fresh.take(u); err != nil {
		return User{}, err
	}
	return s.act(ctx, c, fresh.Person.ID, "C", func(Tx) (Entry, Entry, error) { return Entry{}, fresh, nil })
}

// Replace makes a user as the body says; what it leaves out is gone, but for what
// only the server says. Errors: as for Create; errs.NotFound;
// errs.PreconditionFailed; errs.Forbidden with code scim-last-administrator.
func (s *Service) Replace(ctx context.Context, c Caller, id string, body map[string]any) (User, error) {
	u, err := read(body)
	if err != nil {
		return User{}, err
	}
	return s.edit(ctx, c, id, func(e *Entry) error {
		if u.Active == nil {
			u.Active = &e.Active
		}
		return e.take(u)
	})
}

// Change does the operations of a PATCH, all of them or none. Errors: as for Replace;
// those of ParsePatch.
func (s *Service) Change(ctx context.Context, c Caller, id string, body map[string]any) (User, error) {
	ops, err := ParsePatch(Users(), body)
	if err != nil {
		return User{}, err
	}
	return s.edit(ctx, c, id, func(e *Entry) error {
		have, err := fields(e.user(nil, c.Base))
		if err == nil {
			have, err = apply(have, ops)
		}
		if err != nil {
			return err
		}
		u, err := read(have)
		if err != nil {
			return err
		}
		return e.take(u)
	})
}

// edit changes what the directory says of somebody.
func (s *Service) edit(ctx context.Context, c Caller, id string, do func(*Entry) error) (User, error) {
	return s.act(ctx, c, id, "U", func(tx Tx) (before, after Entry, err error) {
		if before, err = s.found(ctx, tx, c, id); err != nil {
			return before, after, err
		}
		after = before
		after.Emails = slices.Clone(before.Emails)
		return before, after, do(&after)
	})
}

// Delete takes somebody out of the directory: the account ends, and its names are
// free again. Errors: errs.NotFound; errs.PreconditionFailed; errs.Forbidden with
// code scim-last-administrator; errs.Unavailable.
func (s *Service) Delete(ctx context.Context, c Caller, id string) error {
	_, err := s.act(ctx, c, id, "D", func(tx Tx) (before, after Entry, err error) {
		if before, err = s.found(ctx, tx, c, id); err != nil {
			return before, after, err
		}
		after = before
		after.Kept, after.Groups, after.Deleted = Kept{DisplayName: before.DisplayName, Name: before.Name}, nil, s.now()
		after.Person.Username, after.Person.Role = "deleted/"+id, identity.RoleStaff
		after.Person.Identities = slices.DeleteFunc(slices.Clone(before.Person.Identities), isPractitioner)
		return before, after, nil
	})
	return err
}

func isPractitioner(i identity.Identity) bool { return i.Resource.Type == "Practitioner" }

// found gives an entry if its version is the one that the caller saw.
func (s *Service) found(ctx context.Context, tx Tx, c Caller, id string) (Entry, error) {
	e, err := tx.StaffByID(ctx, c.Tenant, id)
	if errs.Is(err, errs.NotFound) {
		return e, errs.New(errs.NotFound, "scim-not-found", "There is no such member of staff.")
	}
	if err == nil && !Matches(c.Match, e.user(s.Groups, c.Base).Meta.Version) {
		err = errVersion()
	}
	return e, err
}

func errVersion() error {
	return errs.New(errs.PreconditionFailed, "scim-version", "The resource was changed since the version that If-Match names.")
}

// read gives the user of a body.
func read(body map[string]any) (User, error) {
	n, err := Users().normal(body)
	if err != nil {
		return User{}, err
	}
	var u User
	return u, remarshal(n, &u)
}

// take sets what the directory says of somebody. What it cannot say stays.
func (e *Entry) take(u User) error {
	name := identity.FoldUsername(u.UserName)
	if name == "" || len(u.UserName) > maxText/2 {
		return fault("scim-value", "A user has a userName of at most 256 bytes.")
	}
	primary := 0
	for _, m := range u.Emails {
		if !mailbox(m.Value) {
			return fault("scim-value", "An e-mail address is not one.")
		}
		if m.Primary {
			primary++
		}
	}
	if primary > 1 {
		return fault("scim-value", "Of the e-mail addresses one at most is the primary one.")
	}
	e.Person.Username = u.UserName
	e.ExternalID, e.Emails, e.Name = u.ExternalID, u.Emails, Name{}
	if u.Name != nil {
		e.Name = *u.Name
	}
	e.DisplayName = u.DisplayName
	switch whole := e.Name.whole(); {
	case u.DisplayName != "":
		e.Person.Name = u.DisplayName
	case whole != "":
		e.Person.Name = whole
	default:
		e.Person.Name = u.UserName
	}
	if u.Active != nil {
		e.Active = *u.Active
	}
	if u.Staff != nil && u.Staff.Practitioner != "" {
		return e.stand(u.Staff.Practitioner)
	}
	return nil
}

// stand says who of the FHIR server's Practitioners the person is, once.
func (e *Entry) stand(said string) error {
	ref, ok := fhir.ParseReference(said)
	if !ok || ref.Type != "Practitioner" {
		return fault("scim-value", "The practitioner is not a reference such as Practitioner/hale.")
	}
	switch have := practitioner(e.Person); {
	case have == ref.String():
		return nil
	case have != "":
		return fault("scim-mutability", "Who of the Practitioners somebody is does not change.")
	}
	e.Person.Identities = append(slices.Clone(e.Person.Identities), identity.Identity{Resource: ref, Verified: true})
	return nil
}
