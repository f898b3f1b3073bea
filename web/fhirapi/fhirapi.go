package fhirapi

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// Consents keeps Consents; the service of package consent files them.
type Consents interface {
	// File validates and stores a Consent as consent.Service.File does.
	File(ctx context.Context, f consent.Filing) (consent.Record, error)
}

// ConsentReader reads Consents; consent.Store is one.
type ConsentReader interface {
	ConsentByID(ctx context.Context, tenant, id string) (consent.Record, error)
	ConsentVersion(ctx context.Context, tenant, id string, version int) (consent.Record, error)
	ConsentHistory(ctx context.Context, tenant, id string) ([]consent.Record, error)
	ConsentsOfPatient(ctx context.Context, tenant, patient string) ([]consent.Record, error)
	ConsentsOfActor(ctx context.Context, tenant string, actor fhir.Reference) ([]consent.Record, error)
}

// RelationReader reads RelatedPersons; proxy.Store is one.
type RelationReader interface {
	RelatedPersonByID(ctx context.Context, tenant, id string) (proxy.RelatedPerson, error)
	RelatedPersonVersion(ctx context.Context, tenant, id string, version int) (proxy.RelatedPerson, error)
	RelatedPersonsOfPatient(ctx context.Context, tenant, patient string) ([]proxy.RelatedPerson, error)
}

// Service serves the owned types. It is safe for concurrent use.
type Service struct {
	File      Consents
	Consents  ConsentReader
	Relations RelationReader
	Log       Log
}

// Owns reports whether Mandate itself keeps the type (D14).
func Owns(typ string) bool {
	return typ == "Consent" || typ == "RelatedPerson" || typ == access.LogType
}

// Call is one interaction that was judged as a request already.
type Call struct {
	Tenant string
	// Input holds grant and standing; Resource and Op are set here.
	Input access.Input
	// Origin says who asks from where, for the events of writes.
	Origin  audit.Event
	Request rest.Request
	// Page is what to give of a log; other types are given whole.
	Page Page
}

// Page is a part of a listing.
type Page struct {
	Count int
	// After is Answer.Next of the page before.
	After string
}

// Item is one version of one resource, as stored.
type Item struct {
	Raw     []byte
	Ref     fhir.Reference
	Version int
	Updated time.Time
}

// Answer is the result of a Call: One for a read or a write, Many, complete,
// for a search or a history.
type Answer struct {
	One     Item
	Many    []Item
	Created bool
	// Paged says that Many is one page only; Next is where it goes on, "" at
	// the end.
	Paged bool
	Next  string
	// AsOf is up to when a log was complete, zero for other types.
	AsOf time.Time
}

// Do answers one interaction. Errors: errs.NotFound for what is absent or
// hidden, alike; errs.Forbidden, errs.Invalid naming the element or the
// parameter, errs.Unprocessable, errs.Conflict, errs.PreconditionFailed,
// errs.NotSupported for what is not offered, errs.Unavailable.
func (s *Service) Do(ctx context.Context, c Call) (Answer, error) {
	if c.Request.Type == access.LogType {
		return s.Log.do(ctx, c)
	}
	shelf := s.shelf(c.Tenant, c.Request.Type)
	switch c.Request.Interaction {
	case rest.Read:
		one, err := read(ctx, shelf, c)
		return Answer{One: one}, err
	case rest.VRead:
		one, err := readVersion(ctx, shelf, c)
		return Answer{One: one}, err
	case rest.HistoryInstance:
		many, err := history(ctx, shelf, c)
		return Answer{Many: many}, err
	case rest.SearchType, rest.SearchCompartment:
		many, err := find(ctx, shelf, c)
		return Answer{Many: many}, err
	case rest.Create:
		return s.create(ctx, c)
	case rest.Update:
		return s.update(ctx, shelf, c)
	}
	return Answer{}, notOffered()
}

// shelf is where the records of one owned type are read.
type shelf interface {
	current(ctx context.Context, id string) (Item, error)
	version(ctx context.Context, id string, version int) (Item, error)
	history(ctx context.Context, id string) ([]Item, error)
	// candidates gives at least all records that can match.
	candidates(ctx context.Context, w wanted) ([]Item, error)
}

func (s *Service) shelf(tenant, typ string) shelf {
	if typ == "Consent" {
		return consentShelf{s.Consents, tenant}
	}
	return relationShelf{s.Relations, tenant}
}

var errAbsent = errs.New(errs.NotFound, "resource-not-found", "There is no such resource.")

// absent makes every "not found" of the store the same.
func absent(err error) error {
	if errs.Is(err, errs.NotFound) {
		return errAbsent
	}
	return err
}

// judge decides about one resource under one operation.
func judge(c Call, raw []byte, op scope.Ops) (access.Decision, error) {
	res, err := view.Scan(raw)
	if err != nil {
		return access.Decision{}, err
	}
	in := c.Input
	in.Request, in.Resource, in.Op = nil, &res, op
	return access.Decide(in), nil
}

// visible gives errAbsent for what may not be read.
func visible(c Call, it Item) error {
	d, err := judge(c, it.Raw, scope.Read)
	if err != nil {
		return err
	}
	if !d.Allow {
		return errAbsent
	}
	return nil
}

func read(ctx context.Context, sh shelf, c Call) (Item, error) {
	it, err := sh.current(ctx, c.Request.ID)
	if err != nil {
		return Item{}, absent(err)
	}
	return it, visible(c, it)
}

// readVersion judges the version and the current one (GW-01).
func readVersion(ctx context.Context, sh shelf, c Call) (Item, error) {
	if _, err := read(ctx, sh, c); err != nil {
		return Item{}, err
	}
	n, ok := versionNumber(c.Request.Version)
	if !ok {
		return Item{}, errAbsent
	}
	it, err := sh.version(ctx, c.Request.ID, n)
	if err != nil {
		return Item{}, absent(err)
	}
	return it, visible(c, it)
}

func history(ctx context.Context, sh shelf, c Call) ([]Item, error) {
	if _, err := read(ctx, sh, c); err != nil {
		return nil, err
	}
	all, err := sh.history(ctx, c.Request.ID)
	if err != nil {
		return nil, absent(err)
	}
	var out []Item
	for _, it := range all {
		if visible(c, it) == nil {
			out = append(out, it)
		}
	}
	return out, nil
}
