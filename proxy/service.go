package proxy

import (
	"context"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
)

// Validator checks a resource against FHIR R4; fhir/codec is one.
type Validator interface {
	// Validate returns errs.Invalid naming the elements at fault.
	Validate(raw []byte) error
}

// Deps are the neighbours of the service.
type Deps struct {
	Tx        txn.Runner[Tx]
	Validator Validator
	Clock     clock.Clock
	IDs       ids.Source
	// Zone is where dates without a zone are; nil means UTC.
	Zone *time.Location
}

// Service holds the use-cases of the room. It is safe for concurrent use.
// Whether the caller may save a relation is decided above (access).
type Service struct {
	deps Deps
}

// NewService makes the service.
func NewService(d Deps) *Service { return &Service{deps: d} }

// Saving is a RelatedPerson on its way into the store.
type Saving struct {
	Tenant string
	// ID is the logical id to update, or to create under; "" takes the one
	// in the body, or a new one. A body that states another id is refused.
	ID string
	// IfVersion is the version the caller last saw (If-Match); 0 creates.
	IfVersion int
	Raw       []byte
	// Origin says who saves from where; the rest of the event is set here.
	Origin audit.Event
}

// Save validates a RelatedPerson and stores it as version 1 or as the next
// one, with its audit event in the same transaction. Errors: errs.Invalid
// naming the element, errs.Conflict, errs.PreconditionFailed,
// errs.Unavailable.
func (s *Service) Save(ctx context.Context, in Saving) (RelatedPerson, error) {
	rp, err := s.prepare(in)
	if err != nil {
		return RelatedPerson{}, err
	}
	err = s.deps.Tx.InTx(ctx, func(tx Tx) error { return s.put(ctx, tx, rp, in) })
	return rp, err
}

// Import creates the resources that are not there yet, all in one
// transaction; those that exist stay as they are. It is how records of
// another server, and those of the development data, come in (D14). Errors:
// those of Save.
func (s *Service) Import(ctx context.Context, tenant string, raws [][]byte, origin audit.Event) error {
	relations := make([]RelatedPerson, 0, len(raws))
	for _, raw := range raws {
		rp, err := s.prepare(Saving{Tenant: tenant, Raw: raw})
		if err != nil {
			return err
		}
		relations = append(relations, rp)
	}
	return s.deps.Tx.InTx(ctx, func(tx Tx) error {
		for _, rp := range relations {
			_, err := tx.RelatedPersonByID(ctx, tenant, rp.ID)
			if err == nil {
				continue
			}
			if !errs.Is(err, errs.NotFound) {
				return err
			}
			if err := s.put(ctx, tx, rp, Saving{Origin: origin}); err != nil {
				return err
			}
		}
		return nil
	})
}

// SaveTx is Save in a transaction of the caller.
func (s *Service) SaveTx(ctx context.Context, tx Tx, in Saving) (RelatedPerson, error) {
	rp, err := s.prepare(in)
	if err != nil {
		return RelatedPerson{}, err
	}
	return rp, s.put(ctx, tx, rp, in)
}

func (s *Service) prepare(in Saving) (RelatedPerson, error) {
	if err := s.deps.Validator.Validate(in.Raw); err != nil {
		return RelatedPerson{}, err
	}
	rp, err := Parse(in.Raw, s.deps.Zone)
	if err != nil {
		return RelatedPerson{}, err
	}
	switch {
	case in.IfVersion < 0:
		return RelatedPerson{}, errs.New(errs.PreconditionFailed, "relatedperson-version", "There is no such version.")
	case rp.ID != "" && in.ID != "" && rp.ID != in.ID:
		return RelatedPerson{}, errs.New(errs.Invalid, "relatedperson-id-mismatch", "RelatedPerson.id differs from the id in the address.")
	case in.ID != "":
		rp.ID = in.ID
	case rp.ID == "":
		rp.ID = s.deps.IDs.ID()
	}
	if !fhir.ValidID(rp.ID) {
		return RelatedPerson{}, errs.New(errs.Invalid, "relatedperson-id", "RelatedPerson.id is not a FHIR id.")
	}
	rp.Tenant, rp.Version, rp.Updated = in.Tenant, in.IfVersion+1, s.deps.Clock.Now().UTC()
	rp.JSON, err = view.Stamp(in.Raw, rp.ID, rp.Version, rp.Updated)
	return rp, err
}

func (s *Service) put(ctx context.Context, tx Tx, rp RelatedPerson, in Saving) error {
	if err := tx.PutRelatedPerson(ctx, rp, in.IfVersion); err != nil {
		return err
	}
	e := in.Origin
	e.Tenant, e.Time, e.Kind, e.Outcome = rp.Tenant, rp.Updated, audit.RelatedPersonSaved, audit.Success
	e.Action = "U"
	if in.IfVersion == 0 {
		e.Action = "C"
	}
	e.Patient, e.Resource, e.ResourceVersion = rp.Patient, rp.Reference(), strconv.Itoa(rp.Version)
	return tx.AppendAudit(ctx, e)
}
