package callers

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/proxy"
)

const (
	// slot is how long one code is shown; it is taken as long again.
	slot = 10 * time.Minute
	// maxFailures is how many wrong tries one member of staff has in window.
	maxFailures = 20
	window      = 15 * time.Minute
)

// Accounts finds accounts.
type Accounts interface {
	PersonByUsername(ctx context.Context, tenant, username string) (identity.Person, error)
	RelatedPersonByID(ctx context.Context, tenant, id string) (proxy.RelatedPerson, error)
}

// Authority says who has access now; authority.Loader is one.
type Authority interface {
	AccessOf(ctx context.Context, rp proxy.RelatedPerson) ([]authority.Access, error)
}

// Patients names patients.
type Patients interface {
	Patient(ctx context.Context, id string) (upstream.Demographics, error)
}

// Deps are the neighbours.
type Deps struct {
	Read      Accounts
	Authority Authority
	Patients  Patients
	Tx        txn.Runner[identity.Tx]
	Clock     clock.Clock
	Hasher    ids.Hasher
	IDs       ids.Source
	Tenant    string
}

// Service verifies callers of one tenant. It is safe for concurrent use.
type Service struct{ d Deps }

// New makes the service.
func New(d Deps) *Service { return &Service{d} }

// Code gives the eight digits that a person reads to staff, and when the next ones
// come.
func (s *Service) Code(p identity.Person) (code string, next time.Time) {
	now := s.d.Clock.Now()
	return s.codeAt(p, now), now.Truncate(slot).Add(slot)
}

func (s *Service) codeAt(p identity.Person, at time.Time) string {
	begun := at.Truncate(slot)
	sum := s.d.Hasher.At(begun).Sum("call-code", p.ID+"|"+strconv.FormatInt(begun.Unix(), 10))
	return fmt.Sprintf("%08d", binary.BigEndian.Uint64(sum)%100_000_000)
}

// Asked is what staff type while somebody is on the telephone.
type Asked struct {
	// Username is the caller's, Patient the full name of whom they speak about,
	// Code what they read.
	Username, Patient, Code string
}

// Caller is somebody who was verified.
type Caller struct {
	Person  identity.Person
	Patient upstream.Demographics
	// Self: the caller is the patient. Otherwise Access says what the caller may
	// hear, one entry for each capacity.
	Self   bool
	Access []authority.Access
	// Event is the id of the event that says so in the audit log.
	Event string
}

// refused is the one answer to whatever does not fit.
func refused() error {
	return errs.New(errs.Unauthenticated, "caller-unverified", "The caller is not verified.")
}

// Verify finds out who is on the telephone. staff is who asks; origin prepares the
// event. Errors: errs.Unauthenticated with code caller-unverified, whatever does not
// fit; errs.RateLimited with code too-many-tries; errs.Unavailable.
func (s *Service) Verify(ctx context.Context, staff identity.Person, in Asked, origin audit.Event) (Caller, error) {
	now := s.d.Clock.Now().UTC().Truncate(time.Microsecond)
	caller, spent, why, err := s.find(ctx, in, now)
	if err != nil {
		return Caller{}, err
	}
	if caller.Person.ID == staff.ID {
		why = "caller-is-staff"
	}
	many := false
	caller.Event = s.d.IDs.ID()
	err = s.d.Tx.InTx(ctx, func(tx identity.Tx) error {
		key := "caller-of|" + staff.ID
		n, err := tx.Failures(ctx, s.d.Tenant, key, now, window)
		if err != nil {
			return err
		}
		if many = n >= maxFailures; many {
			why = "too-many-tries"
		}
		if why == "" {
			first, err := tx.SpendChallenge(ctx, s.d.Tenant, s.d.Hasher.Hash("call-code-used", spent), now.Add(2*slot))
			if err != nil {
				return err
			}
			if !first {
				why = "code-used"
			}
		}
		if why != "" && !many {
			if _, err := tx.CountFailure(ctx, s.d.Tenant, key, now, window); err != nil {
				return err
			}
		}
		return tx.AppendAudit(ctx, s.event(staff, caller, why, origin, now))
	})
	switch {
	case err != nil:
		return Caller{}, err
	case many:
		return Caller{}, errs.New(errs.RateLimited, "too-many-tries", "There were too many tries.")
	case why != "":
		return Caller{}, refused()
	}
	return caller, nil
}

// event tells the log what was found, which no page does.
func (s *Service) event(staff identity.Person, c Caller, why string, origin audit.Event, now time.Time) audit.Event {
	e := origin
	e.ID = c.Event
	e.Tenant, e.Time, e.Kind, e.Action, e.Outcome = s.d.Tenant, now, audit.CallerChecked, "E", audit.Success
	e.PersonID, e.Patient, e.Detail = staff.ID, c.Patient.ID, map[string]string{"account": c.Person.ID}
	if why != "" {
		e.Outcome, e.Reason = audit.MinorFailure, why
	}
	return e
}

// find looks for the caller. why is empty when all fits; spent names the code.
func (s *Service) find(ctx context.Context, in Asked, now time.Time) (c Caller, spent, why string, err error) {
	p, err := s.d.Read.PersonByUsername(ctx, s.d.Tenant, identity.FoldUsername(in.Username))
	if errs.Is(err, errs.NotFound) {
		// The work is that of an account that is there.
		p, err, why = identity.Person{}, nil, "caller-unknown"
	}
	if err != nil {
		return c, "", "", err
	}
	typed, fits := digits(in.Code), false
	for _, at := range []time.Time{now, now.Add(-slot)} {
		code := s.codeAt(p, at)
		if ids.Equal(code, typed) {
			fits, spent = true, p.ID+"|"+strconv.FormatInt(at.Truncate(slot).Unix(), 10)
		}
	}
	c.Person = p
	switch {
	case why != "":
		return c, "", why, nil
	case p.Disabled:
		return c, "", "caller-disabled", nil
	case !fits:
		return c, "", "code-wrong", nil
	}
	found, err := s.about(ctx, &c, in.Patient)
	if err == nil && !found {
		why = "no-access"
	}
	return c, spent, why, err
}

func digits(typed string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, typed)
}

// about finds the record that the caller speaks about among those open to them now.
func (s *Service) about(ctx context.Context, c *Caller, name string) (bool, error) {
	for _, i := range c.Person.Identities {
		if !i.Verified || i.Resource.Type != "Patient" && i.Resource.Type != "RelatedPerson" {
			continue
		}
		id, self := i.Patient, i.Resource.Type == "Patient"
		if self {
			id = i.Resource.ID
		}
		d, err := s.d.Patients.Patient(ctx, id)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return false, err
		}
		if d.Name == "" || identity.FoldUsername(d.Name) != identity.FoldUsername(strings.TrimSpace(name)) {
			continue
		}
		list, err := s.access(ctx, i.Resource, self)
		if err != nil {
			return false, err
		}
		if self || len(list) > 0 {
			d.ID = id
			c.Patient, c.Self, c.Access = d, self, list
			return true, nil
		}
	}
	return false, nil
}

func (s *Service) access(ctx context.Context, as fhir.Reference, self bool) ([]authority.Access, error) {
	if self {
		return nil, nil
	}
	rp, err := s.d.Read.RelatedPersonByID(ctx, s.d.Tenant, as.ID)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.d.Authority.AccessOf(ctx, rp)
}
