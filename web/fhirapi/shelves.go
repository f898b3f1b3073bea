package fhirapi

import (
	"context"
	"strconv"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// versionNumber reads a version id of ours: a positive number without sign or
// leading zero.
func versionNumber(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0 && strconv.Itoa(n) == s
}

type consentShelf struct {
	from   ConsentReader
	tenant string
}

func consentItem(r consent.Record) Item {
	return Item{Raw: r.JSON, Ref: fhir.Reference{Type: "Consent", ID: r.ID}, Version: r.Version, Updated: r.Updated}
}

func consentItems(records []consent.Record, err error) ([]Item, error) {
	out := make([]Item, 0, len(records))
	for _, r := range records {
		out = append(out, consentItem(r))
	}
	return out, err
}

func (s consentShelf) current(ctx context.Context, id string) (Item, error) {
	r, err := s.from.ConsentByID(ctx, s.tenant, id)
	return consentItem(r), err
}

func (s consentShelf) version(ctx context.Context, id string, version int) (Item, error) {
	r, err := s.from.ConsentVersion(ctx, s.tenant, id, version)
	return consentItem(r), err
}

func (s consentShelf) history(ctx context.Context, id string) ([]Item, error) {
	return consentItems(s.from.ConsentHistory(ctx, s.tenant, id))
}

func (s consentShelf) candidates(ctx context.Context, w wanted) ([]Item, error) {
	switch {
	case w.patient != "":
		return consentItems(s.from.ConsentsOfPatient(ctx, s.tenant, w.patient))
	case !w.actor.IsZero():
		return consentItems(s.from.ConsentsOfActor(ctx, s.tenant, w.actor))
	}
	return byID(ctx, s, w.ids)
}

type relationShelf struct {
	from   RelationReader
	tenant string
}

func relationItem(r proxy.RelatedPerson) Item {
	return Item{Raw: r.JSON, Ref: r.Reference(), Version: r.Version, Updated: r.Updated}
}

func (s relationShelf) current(ctx context.Context, id string) (Item, error) {
	r, err := s.from.RelatedPersonByID(ctx, s.tenant, id)
	return relationItem(r), err
}

func (s relationShelf) version(ctx context.Context, id string, version int) (Item, error) {
	r, err := s.from.RelatedPersonVersion(ctx, s.tenant, id, version)
	return relationItem(r), err
}

// history reads the versions one by one, newest first.
func (s relationShelf) history(ctx context.Context, id string) ([]Item, error) {
	newest, err := s.current(ctx, id)
	if err != nil {
		return nil, err
	}
	out := []Item{newest}
	for v := newest.Version - 1; v > 0; v-- {
		it, err := s.version(ctx, id, v)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, nil
}

func (s relationShelf) candidates(ctx context.Context, w wanted) ([]Item, error) {
	if w.patient == "" {
		return byID(ctx, s, w.ids)
	}
	records, err := s.from.RelatedPersonsOfPatient(ctx, s.tenant, w.patient)
	out := make([]Item, 0, len(records))
	for _, r := range records {
		out = append(out, relationItem(r))
	}
	return out, err
}

// byID gives those of the ids that exist.
func byID(ctx context.Context, sh shelf, ids []string) ([]Item, error) {
	if len(ids) == 0 {
		return nil, errs.New(errs.Invalid, "search-too-wide", "A search on this type needs a patient or an _id.")
	}
	var out []Item
	for _, id := range ids {
		it, err := sh.current(ctx, id)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, nil
}
