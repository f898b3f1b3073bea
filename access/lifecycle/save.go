package lifecycle

import (
	"context"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// Validator checks a resource against FHIR R4; fhir/codec is one.
type Validator interface {
	// Validate returns errs.Invalid naming the elements at fault.
	Validate(raw []byte) error
}

// Saving is a record of another system on its way into the store.
type Saving struct {
	// ID is the id to create under or to update.
	ID string
	// IfVersion is the version the caller last saw (If-Match); 0 creates.
	IfVersion int
	Raw       []byte
	// Origin says who saves from where; the rest of the event is set here.
	Origin audit.Event
}

// SaveRecord validates a record and stores it as version 1 or as the next one,
// with its audit event. What the life cycle writes itself nobody else changes, and
// a record stays of its type and patient. Errors: errs.Invalid naming the element,
// errs.Forbidden with code record-own, errs.Conflict, errs.PreconditionFailed,
// errs.TooLarge, errs.Unavailable.
func (s *Service) SaveRecord(ctx context.Context, in Saving) (evidence.Record, error) {
	if err := s.Validator.Validate(in.Raw); err != nil {
		return evidence.Record{}, err
	}
	r, err := s.prepared(ctx, in)
	if err != nil {
		return evidence.Record{}, err
	}
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		before, err := tx.EvidenceByID(ctx, s.Tenant, r.ID)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		if err == nil && in.IfVersion > 0 && (before.Type != r.Type || before.Patient != r.Patient) {
			return errs.New(errs.Conflict, "record-moved", "A record stays of its type and about its patient.")
		}
		if err := tx.PutEvidence(ctx, r, in.IfVersion); err != nil {
			return err
		}
		e := in.Origin
		e.Tenant, e.Time, e.Kind, e.Action, e.Outcome = s.Tenant, r.Updated, audit.FHIRWrite, "U", audit.Success
		if in.IfVersion == 0 {
			e.Action = "C"
		}
		e.Patient, e.Resource, e.ResourceVersion = r.Patient, r.Reference(), strconv.Itoa(r.Version)
		return tx.AppendAudit(ctx, e)
	})
	return r, err
}

// prepared reads a record and checks what it hangs on.
func (s *Service) prepared(ctx context.Context, in Saving) (evidence.Record, error) {
	r, err := evidence.Parse(in.Raw)
	switch {
	case err != nil:
		return r, err
	case in.IfVersion < 0:
		return r, errs.New(errs.PreconditionFailed, "version-changed", "There is no such version.")
	case r.ID != "" && r.ID != in.ID:
		return r, evidence.Fault(r.Type+".id", "differs from the id in the address")
	case !fhir.ValidID(in.ID):
		return r, evidence.Fault(r.Type+".id", "is not a FHIR id")
	case strings.HasPrefix(in.ID, ownRecords), r.Type == evidence.TypeProvenance, r.Type == evidence.TypeCeremony:
		return r, errs.New(errs.Forbidden, "record-own", "Mandate writes this record itself, in the transaction of what it tells.")
	}
	r.ID, r.Tenant, r.JSON = in.ID, s.Tenant, in.Raw
	if r.Type == evidence.TypeBinary {
		if err := s.owner(ctx, &r); err != nil {
			return r, err
		}
	}
	return r.Next(in.IfVersion, s.now())
}

// owner gives a file the patient and the submitter of its document (GW-09).
func (s *Service) owner(ctx context.Context, r *evidence.Record) error {
	ref, _ := fhir.ParseReference(r.Focus)
	doc, err := s.Evidence.EvidenceByID(ctx, s.Tenant, ref.ID)
	if errs.Is(err, errs.NotFound) || err == nil && doc.Type != evidence.TypeDocument || ref.Type != evidence.TypeDocument {
		return evidence.Fault("Binary.securityContext", "must name a DocumentReference that is kept here")
	}
	r.Patient, r.Person = doc.Patient, doc.Person
	return err
}
