package consent

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
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
	// Store serves reads outside a transaction.
	Store     Store
	Tx        txn.Runner[FilingTx]
	Validator Validator
	Clock     clock.Clock
	IDs       ids.Source
	Options   Options
	// Held reports whether a RelatedPerson was in its relation to the patient at a time;
	// known is false for one that is not kept here. nil asks about nobody.
	Held func(ctx context.Context, tenant, patient string, who fhir.Reference, at time.Time) (known, held bool, err error)
	// CachedPatients bounds the compiled policies kept; 0 means 4,096.
	CachedPatients int
	// Signer signs each version that is stored (PV-08); nil signs none.
	Signer Signer
}

// Signer signs the exact bytes of versions and verifies them; keys.Ring is one.
type Signer interface {
	// SignRecord gives a detached JWS. It is called within a transaction, so it
	// waits for nothing. Errors: errs.Unavailable, errs.Invalid, errs.Internal.
	SignRecord(ctx context.Context, tenant string, raw []byte) (string, error)
	// VerifyRecord checks one. Errors: errs.Unauthenticated, errs.Unavailable.
	VerifyRecord(ctx context.Context, tenant, signature string, raw []byte) error
}

// Service holds the use-cases of the room. It is safe for concurrent use.
// Whether the caller may file or withdraw is decided above (access).
type Service struct {
	deps  Deps
	cache *cache
}

// NewService makes the service.
func NewService(d Deps) *Service {
	if d.CachedPatients <= 0 {
		d.CachedPatients = 4096
	}
	return &Service{deps: d, cache: newCache(d.CachedPatients)}
}

// PolicyFor gives the compiled policy of a patient, current at the time of
// the call: the consent epoch is asked for each time. Errors: errs.Unavailable;
// then a proxy must be refused (EV-02).
func (s *Service) PolicyFor(ctx context.Context, tenant, patient string) (*Policy, error) {
	epoch, err := s.deps.Store.ConsentEpoch(ctx, tenant, patient)
	if err != nil {
		return nil, err
	}
	key := cacheKey{tenant, patient}
	if p := s.cache.get(key, epoch); p != nil {
		return p, nil
	}
	// A change between the two reads leaves an older epoch on newer
	// Consents: the next call compiles again.
	p, err := LoadPolicy(ctx, s.deps.Store, tenant, patient, epoch, s.deps.Options)
	if err != nil {
		return nil, err
	}
	s.cache.put(key, p)
	return p, nil
}

// LoadPolicy compiles a patient's policy from a store, for use inside a
// transaction of the caller. A stored Consent that cannot be read denies.
func LoadPolicy(ctx context.Context, st Store, tenant, patient string, epoch int64, o Options) (*Policy, error) {
	records, err := st.ConsentsOfPatient(ctx, tenant, patient)
	if err != nil {
		return nil, err
	}
	return compileRecords(records, patient, epoch, o), nil
}

// PolicyWith gives a patient's policy as it would be if a draft were filed in the
// place of a Consent, "" for none: what a preview shows is judged as what is filed.
// Errors: errs.Invalid for a draft that is no Consent; errs.Unavailable.
func (s *Service) PolicyWith(ctx context.Context, tenant, patient, instead string, draft []byte) (*Policy, error) {
	records, err := s.deps.Store.ConsentsOfPatient(ctx, tenant, patient)
	if err != nil {
		return nil, err
	}
	records = slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.ID == instead })
	rec, err := NewRecord(draft, Stamp{Tenant: tenant, ID: "draft", Version: 1, At: s.deps.Clock.Now()})
	if err != nil {
		return nil, err
	}
	return compileRecords(append(records, rec), patient, 0, s.deps.Options), nil
}

// compileRecords compiles records. One that cannot be read denies.
func compileRecords(records []Record, patient string, epoch int64, o Options) *Policy {
	consents := make([]Consent, 0, len(records))
	ended := map[string]bool{}
	for _, rec := range records {
		if rec.Kind == KindAppApproval && rec.Status != "active" {
			ended[rec.ID] = true
		}
		if rec.Kind == KindAppApproval || rec.Kind == KindOther {
			continue
		}
		c, err := ParseIn(rec.JSON, o.Zone)
		if err != nil {
			c.Status = rec.Status
		}
		c.ID, c.Version = rec.ID, rec.Version
		consents = append(consents, c)
	}
	p := Compile(patient, epoch, consents, o)
	p.ended = ended
	return p
}

// Filing is a Consent on its way into the store.
type Filing struct {
	Tenant string
	// ID is the logical id to update, or to create under; "" lets Mandate
	// choose. A body that states another id is refused.
	ID string
	// IfVersion is the version the caller last saw (If-Match); 0 creates.
	IfVersion int
	Raw       []byte
	// Origin says who files from where: person, capacity, client, session,
	// network, request, grant. The rest of the event is set here.
	Origin audit.Event
	// Witness is who took part beside, for its Provenance.
	Witness Witness
}

// File validates a Consent and stores it as version 1 or as the next one,
// with its audit event in the same transaction. Errors: errs.Invalid naming
// the element; errs.Unprocessable for an active grant that the engine would
// not honour, that somebody signed who had no authority then, or under a withdrawn policy, with the element; errs.Conflict, errs.PreconditionFailed.
func (s *Service) File(ctx context.Context, f Filing) (Record, error) {
	if err := s.deps.Validator.Validate(f.Raw); err != nil {
		return Record{}, err
	}
	if err := s.signers(ctx, f); err != nil {
		return Record{}, err
	}
	var out Record
	err := s.deps.Tx.InTx(ctx, func(tx FilingTx) error {
		var err error
		out, err = s.FileTx(ctx, tx, f)
		return err
	})
	return out, err
}

// signers refuses a grant that a RelatedPerson signed whose authority began later, or
// had ended (EV-04, TR-47). What cannot be read the filing names.
func (s *Service) signers(ctx context.Context, f Filing) error {
	c, err := ParseIn(f.Raw, s.deps.Options.Zone)
	if err != nil || s.deps.Held == nil || c.Kind != KindGrant || c.Status != "active" {
		return nil
	}
	for _, p := range c.Performers {
		if p.Type != "RelatedPerson" {
			continue
		}
		known, held, err := s.deps.Held(ctx, f.Tenant, c.Patient, p, c.Given)
		if err != nil {
			return err
		}
		if known && !held {
			return errs.New(errs.Unprocessable, "consent-performer-authority", "Consent.performer: "+p.String()+" had no authority at Consent.dateTime.")
		}
	}
	return nil
}

// FileTx is File for bytes that were validated before, in a transaction of
// the caller.
func (s *Service) FileTx(ctx context.Context, tx FilingTx, f Filing) (Record, error) {
	rec, err := s.prepare(f)
	if err != nil {
		return Record{}, err
	}
	if err := underWithdrawn(ctx, tx, f.Tenant, rec.JSON); err != nil {
		return Record{}, err
	}
	if err := s.watch(ctx, tx, rec, f.Origin); err != nil {
		return Record{}, err
	}
	return rec, s.keep(ctx, tx, rec, f.Origin, filed(rec), f.Witness)
}

func (s *Service) prepare(f Filing) (Record, error) {
	c, err := ParseIn(f.Raw, s.deps.Options.Zone)
	if err != nil {
		return Record{}, err
	}
	id := f.ID
	switch {
	case f.IfVersion < 0:
		return Record{}, errs.New(errs.PreconditionFailed, "consent-version", "There is no such version.")
	case c.ID != "" && id != "" && c.ID != id:
		return Record{}, errs.New(errs.Invalid, "consent-id-mismatch", "Consent.id differs from the id in the address.")
	case id == "":
		id = s.deps.IDs.ID()
	}
	if !fhir.ValidID(id) {
		return Record{}, errs.New(errs.Invalid, "consent-id", "Consent.id is not a FHIR id.")
	}
	if err := acceptable(&c, s.deps.Options); err != nil {
		return Record{}, err
	}
	if c.Kind == KindGrant && c.Given.After(s.deps.Clock.Now().Add(clockSkew)) {
		return Record{}, errs.New(errs.Unprocessable, "consent-ahead", "Consent.dateTime lies ahead: nobody has agreed yet.")
	}
	return NewRecord(f.Raw, Stamp{Tenant: f.Tenant, ID: id, Version: f.IfVersion + 1, At: s.deps.Clock.Now()})
}

// clockSkew is how far the clock of who files may be ahead.
const clockSkew = 5 * time.Minute

// acceptable refuses what would be stored and then not do what it says.
func acceptable(c *Consent, o Options) error {
	if c.Kind == KindOther || c.Kind == KindAppApproval {
		return nil
	}
	if len(c.Faults) > 0 {
		return errs.New(errs.Unprocessable, "consent-not-understood", "Not understood: "+c.Faults[0]+".")
	}
	if c.Patient == "" {
		return errs.New(errs.Unprocessable, "consent-patient", "Consent.patient must name a patient of this server.")
	}
	if c.Kind != KindGrant || c.Status != "active" {
		return nil
	}
	if o.PolicyPrefixes == nil {
		o.PolicyPrefixes = DefaultPolicyPrefixes()
	}
	if fault := grantFault(c, c.Patient, o); fault != "" {
		return errs.New(errs.Unprocessable, "consent-grants-nothing", "The grant would have no effect: "+fault+".")
	}
	// What comes in is asked for more than what is in force already (EV-04).
	if competent(c, c.Patient, o) < c.Signatures {
		return errs.New(errs.Unprocessable, "consent-signatures", "Consent.performer: not all signatures are of somebody who could agree.")
	}
	return nil
}

// Stamp says as which version a Consent is stored.
type Stamp struct {
	Tenant string
	// ID is the logical id, Version the number of this version.
	ID      string
	Version int
	At      time.Time
	// Status replaces Consent.status unless empty.
	Status string
}

// NewRecord gives the record of one version: the bytes stamped with id,
// version and time, and the columns read from them. Errors: errs.Invalid.
func NewRecord(raw []byte, as Stamp) (Record, error) {
	stamped, err := stamp(raw, as.ID, as.Version, as.At, as.Status)
	if err != nil {
		return Record{}, err
	}
	c, err := Parse(stamped)
	if err != nil {
		return Record{}, err
	}
	return Record{
		Tenant: as.Tenant, ID: as.ID, Version: as.Version, Patient: c.Patient, Status: c.Status,
		Kind: c.Kind, Actors: c.ActorReferences(), JSON: stamped, Updated: as.At.UTC(),
	}, nil
}

// Withdraw makes the Consent inactive as a new version, with its audit event
// in the same transaction; history stays (LC-10). Withdrawing an ended one
// changes nothing. Errors: errs.NotFound, errs.PreconditionFailed.
func (s *Service) Withdraw(ctx context.Context, tenant, id string, origin audit.Event) (Record, error) {
	var out Record
	err := s.deps.Tx.InTx(ctx, func(tx FilingTx) error {
		var err error
		out, err = s.WithdrawTx(ctx, tx, tenant, id, origin)
		return err
	})
	return out, err
}

// WithdrawTx is Withdraw in a transaction of the caller.
func (s *Service) WithdrawTx(ctx context.Context, tx Tx, tenant, id string, origin audit.Event) (Record, error) {
	out, _, err := s.WithdrawnTx(ctx, tx, tenant, id, origin, Witness{})
	return out, err
}

// WithdrawnTx is WithdrawTx with who took part beside, for its Provenance (PV-03);
// ended says that it was in force until now.
func (s *Service) WithdrawnTx(ctx context.Context, tx Tx, tenant, id string, origin audit.Event, w Witness) (out Record, ended bool, err error) {
	last, err := tx.ConsentByID(ctx, tenant, id)
	if err != nil {
		return Record{}, false, err
	}
	switch last.Status {
	case "inactive", "rejected", "entered-in-error":
		return last, false, nil
	}
	next, err := Revoke(last, s.deps.Clock.Now())
	if err != nil {
		return Record{}, false, err
	}
	return next, true, s.keep(ctx, tx, next, origin, audit.ConsentWithdrawn, w)
}

// Revoke gives the next version of a Consent with status inactive.
func Revoke(last Record, at time.Time) (Record, error) {
	return NewRecord(last.JSON, Stamp{Tenant: last.Tenant, ID: last.ID, Version: last.Version + 1, At: at, Status: "inactive"})
}

func event(origin audit.Event, kind audit.Kind, action string, rec Record) audit.Event {
	e := origin
	e.Kind, e.Action, e.Outcome = kind, action, audit.Success
	e.Tenant, e.Time = rec.Tenant, rec.Updated
	e.Patient = rec.Patient
	e.Resource = fhir.Reference{Type: "Consent", ID: rec.ID}
	e.ResourceVersion = strconv.Itoa(rec.Version)
	e.Consents = []string{rec.Reference()}
	return e
}

// Filter selects Consents. Empty fields do not restrict; Patient or Actor is
// required.
type Filter struct {
	Tenant   string
	Patient  string
	Actor    fhir.Reference
	Statuses []string
	Kinds    []Kind
	// Category must be among the categories; an empty System matches any.
	Category fhir.Coding
	// Period must overlap provision.period of the root, as R4 defines the
	// search parameter.
	Period fhir.Period
}

// Search gives the newest versions that the filter selects, ordered by id.
// Errors: errs.Invalid when neither patient nor actor is given.
func (s *Service) Search(ctx context.Context, f Filter) ([]Record, error) {
	var records []Record
	var err error
	switch {
	case f.Patient != "":
		records, err = s.deps.Store.ConsentsOfPatient(ctx, f.Tenant, f.Patient)
	case !f.Actor.IsZero():
		records, err = s.deps.Store.ConsentsOfActor(ctx, f.Tenant, f.Actor)
	default:
		return nil, errs.New(errs.Invalid, "consent-search", "A search for Consents needs patient or actor.")
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return !f.selects(r) }), nil
}

func (f Filter) selects(r Record) bool {
	if len(f.Statuses) > 0 && !slices.Contains(f.Statuses, r.Status) ||
		len(f.Kinds) > 0 && !slices.Contains(f.Kinds, r.Kind) ||
		!f.Actor.IsZero() && !slices.Contains(r.Actors, f.Actor) {
		return false
	}
	if f.Category == (fhir.Coding{}) && f.Period == (fhir.Period{}) {
		return true
	}
	c, err := Parse(r.JSON)
	if err != nil {
		return false
	}
	if f.Category.Code != "" && !slices.ContainsFunc(c.Categories, func(x fhir.Coding) bool {
		return x.Code == f.Category.Code && (f.Category.System == "" || x.System == f.Category.System)
	}) {
		return false
	}
	return f.Period == (fhir.Period{}) || overlap(c.Root.Period, f.Period)
}
