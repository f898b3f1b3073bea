package appstate

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
)

// Validator checks a resource against FHIR R4; fhir/codec is one.
type Validator interface {
	// ValidateType returns errs.Invalid naming the elements at fault.
	ValidateType(raw []byte, resourceType string) error
}

// Service holds the use-cases. It is safe for concurrent use.
type Service struct {
	// Read serves searches.
	Read      Store
	Tx        txn.Runner[Tx]
	Validator Validator
	Clock     clock.Clock
	IDs       ids.Source
}

// Asker is who asks, as of now.
type Asker struct {
	Tenant string
	// Base is the FHIR base, with which references begin.
	Base   string
	Client oauth.Client
	// Input holds grant and standing; the rest is set here.
	Input access.Input
	// Origin says who asks from where, for events.
	Origin audit.Event
}

var (
	// errStale answers for whatever may not be changed, be it another version,
	// another app's, deleted or never there (APS-04).
	errStale = errs.New(errs.PreconditionFailed, "app-state-changed", "If-Match does not name the present version of a state that may be changed.")
	errFull  = errs.New(errs.Unprocessable, "app-state-full", "There are as many states of this code about this subject as are kept; delete one.")
)

// Create stores a new state. Errors: errs.Forbidden, errs.Invalid,
// errs.Unprocessable naming the element, errs.TooLarge, errs.Unavailable.
func (s *Service) Create(ctx context.Context, a Asker, raw []byte) (State, error) {
	b, next, err := s.prepare(a, raw, scope.Create)
	if err != nil {
		return State{}, err
	}
	if b.ID != "" || b.Meta.VersionID != "" {
		return State{}, refuse("Basic.id", "and Basic.meta.versionId are given by the server")
	}
	next.ID = s.IDs.ID()
	return s.put(ctx, a, raw, next, 0)
}

// prepare validates a resource and asks whether the app may do op with it.
func (s *Service) prepare(a Asker, raw []byte, op scope.Ops) (basic, State, error) {
	if len(raw) > MaxBytes {
		return basic{}, State{}, errs.New(errs.TooLarge, "app-state-too-large", "A state may have 256 KiB at most.")
	}
	if err := s.Validator.ValidateType(raw, Type); err != nil {
		return basic{}, State{}, err
	}
	b, code, subject, err := parse(raw, a.Base)
	if err != nil {
		return b, State{}, err
	}
	next := State{Tenant: a.Tenant, Code: code, Subject: subject, ClientID: a.Client.ID}
	return b, next, a.permit(code, subject, op)
}

// put stores the next version with its event.
func (s *Service) put(ctx context.Context, a Asker, raw []byte, next State, ifVersion int) (State, error) {
	next.Version, next.Updated = ifVersion+1, s.Clock.Now()
	var err error
	if next.JSON, err = stamped(raw, next.ID, strconv.Itoa(next.Version), next.Updated); err != nil {
		return State{}, err
	}
	action := "U"
	if ifVersion == 0 {
		action = "C"
	}
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		if ifVersion == 0 {
			have, err := tx.AppStates(ctx, a.Tenant, next.Code, next.Subject)
			if err != nil {
				return err
			}
			if len(have) >= MaxStates {
				return errFull
			}
		}
		if err := tx.PutAppState(ctx, next, ifVersion); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, s.event(a, next, action))
	})
	return next, err
}

// Update replaces the version that the app last saw. Errors: those of Create;
// errs.PreconditionFailed.
func (s *Service) Update(ctx context.Context, a Asker, id string, version int, raw []byte) (State, error) {
	stored, err := s.own(ctx, a, id, version, scope.Update)
	if err != nil {
		return State{}, err
	}
	b, next, err := s.prepare(a, raw, scope.Update)
	if err != nil && !errs.Is(err, errs.Forbidden) {
		return State{}, err
	}
	// Another code that the app may not have is first of all another code.
	if next.Code != stored.Code || next.Subject != stored.Subject {
		return State{}, errStale
	}
	if err != nil {
		return State{}, err
	}
	if b.ID != id {
		return State{}, refuse("Basic.id", "must be the id in the address")
	}
	next.ID = id
	return s.put(ctx, a, raw, next, version)
}

// Delete deletes the version that the app last saw. Errors: errs.Forbidden,
// errs.PreconditionFailed, errs.Unavailable.
func (s *Service) Delete(ctx context.Context, a Asker, id string, version int) error {
	stored, err := s.own(ctx, a, id, version, scope.Delete)
	if err != nil {
		return err
	}
	return s.Tx.InTx(ctx, func(tx Tx) error {
		if err := tx.DeleteAppState(ctx, a.Tenant, id, version); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, s.event(a, stored, "D"))
	})
}

// own gives the present state, if the app may do op with it.
func (s *Service) own(ctx context.Context, a Asker, id string, version int, op scope.Ops) (State, error) {
	stored, err := s.Read.AppState(ctx, a.Tenant, id)
	switch {
	case errs.Is(err, errs.NotFound):
		return State{}, errStale
	case err != nil:
		return State{}, err
	case !slices.Contains(a.Client.AppStateCodes, stored.Code):
		return State{}, errStale
	}
	if err := a.permit(stored.Code, stored.Subject, op); err != nil {
		return State{}, err
	}
	if stored.Version != version {
		return State{}, errStale
	}
	return stored, nil
}

// Search gives the states of one code about one subject, "" for those about
// nobody. Whether the app may is decided before anything is read (TRP-01).
// Errors: errs.Forbidden, errs.Unavailable.
func (s *Service) Search(ctx context.Context, a Asker, code, subject string) ([]State, error) {
	if err := a.permit(code, subject, scope.Search); err != nil {
		return nil, err
	}
	return s.Read.AppStates(ctx, a.Tenant, code, subject)
}

// permit decides whether the app may do op with states of a code about a
// subject: the code must be registered for it (APS-08), and the token must reach
// the subject (APS-07).
func (a Asker) permit(code, subject string, op scope.Ops) error {
	registered := slices.Contains(a.Client.AppStateCodes, code) ||
		op == scope.Search && slices.Contains(a.Client.AppStateReadCodes, code)
	if !registered {
		return forbidden("app-state-code", "This state code is not registered for the app.")
	}
	res, err := sample(code, subject)
	if err != nil {
		return err
	}
	switch subject {
	case "Patient/" + a.patient():
		in := a.Input
		in.Request, in.Resource, in.Op = nil, &res, op
		if d := access.Decide(in); !d.Allow {
			return forbidden(reason(d), "The access token does not permit this.")
		}
		return nil
	case "":
		if op != scope.Search && !a.Client.AppStateGlobal {
			return forbidden("app-state-global", "The app may not change state that is about nobody.")
		}
	case a.Input.Grant.Capacity.Acting.String():
	default:
		return forbidden("app-state-subject", "App state is about the patient in context, the person who uses the app, or nobody.")
	}
	if !a.Input.Now.Before(a.Input.Grant.Ends) {
		return forbidden("grant-ended", "The grant has ended.")
	}
	for _, sc := range a.Input.Grant.Scopes.For(scope.User, Type, op) {
		if sc.Matches(&res) {
			return nil
		}
	}
	return forbidden("no-scope", "The access token does not permit this.")
}

// patient is the one whom the grant is about, an impossible id for none.
func (a Asker) patient() string {
	for _, id := range []string{a.Input.Grant.Patient, a.Input.Grant.Capacity.Patient} {
		if id != "" {
			return id
		}
	}
	return "/"
}

func reason(d access.Decision) string {
	if len(d.Reasons) > 0 {
		return d.Reasons[0].Code
	}
	return "not-permitted"
}

func forbidden(code, text string) error { return errs.New(errs.Forbidden, code, text) }

// sample gives what every state of a code about a subject looks like to a
// decision.
func sample(code, subject string) (fhir.Resource, error) {
	system, value, _ := strings.Cut(code, "|")
	coding := map[string]any{"code": value}
	if system != "" {
		coding["system"] = system
	}
	v := map[string]any{"resourceType": Type, "code": map[string]any{"coding": []any{coding}}}
	if subject != "" {
		v["subject"] = map[string]any{"reference": subject}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fhir.Resource{}, err
	}
	return view.Scan(raw)
}

func (s *Service) event(a Asker, st State, action string) audit.Event {
	e := a.Origin
	e.Tenant, e.Time, e.Kind, e.Action, e.Outcome = a.Tenant, s.Clock.Now(), audit.FHIRWrite, action, audit.Success
	e.Resource, e.ResourceVersion = fhir.Reference{Type: Type, ID: st.ID}, strconv.Itoa(st.Version)
	if p := st.Patient(); p != "" {
		e.Patient = p
	}
	return e
}
