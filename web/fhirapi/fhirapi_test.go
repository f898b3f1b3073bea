package fhirapi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// shelf holds two relations of Rosa and one of Ines; Victor's has three
// versions, the second of which was removed.
type shelf struct {
	fhirapi.ConsentReader
	down bool
}

func (s shelf) relation(id, patient, name string, version int) proxy.RelatedPerson {
	raw := fmt.Sprintf(`{"resourceType":"RelatedPerson","id":%q,"active":%v,"identifier":[{"system":"s","value":"acct-%s"}],"patient":{"reference":"Patient/%s"},"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleCode","code":"DAUC"}]}],"name":[{"family":%q,"given":["Ana"]}]}`,
		id, version != 2, id, patient, name)
	return proxy.RelatedPerson{ID: id, Version: version, Patient: patient, JSON: []byte(raw)}
}

var errNone = errs.New(errs.NotFound, "related-person-not-found", "none")

func (s shelf) RelatedPersonByID(_ context.Context, _, id string) (proxy.RelatedPerson, error) {
	switch {
	case s.down:
		return proxy.RelatedPerson{}, errs.New(errs.Unavailable, "store", "down")
	case id == "elena":
		return s.relation(id, "rosa", "Alvarez", 1), nil
	case id == "victor":
		return s.relation(id, "rosa", "Vega", 3), nil
	case id == "dana":
		return s.relation(id, "ines", "Diaz", 1), nil
	}
	return proxy.RelatedPerson{}, errNone
}

func (s shelf) RelatedPersonVersion(ctx context.Context, tenant, id string, version int) (proxy.RelatedPerson, error) {
	r, err := s.RelatedPersonByID(ctx, tenant, id)
	if err != nil || version > r.Version || version == 2 {
		return proxy.RelatedPerson{}, errNone
	}
	return s.relation(id, r.Patient, "Vega", version), nil
}

func (s shelf) RelatedPersonsOfPatient(ctx context.Context, tenant, patient string) ([]proxy.RelatedPerson, error) {
	var out []proxy.RelatedPerson
	for _, id := range []string{"dana", "elena", "victor"} {
		r, err := s.RelatedPersonByID(ctx, tenant, id)
		if err != nil {
			return nil, err
		}
		if r.Patient == patient {
			out = append(out, r)
		}
	}
	return out, nil
}

func call(t *testing.T, c fhir.Capacity, path string) fhirapi.Call {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	req, err := rest.Parse(rest.Incoming{Method: "GET", Path: path, RawQuery: query})
	if err != nil {
		t.Fatal(err)
	}
	granted, err := scope.Parse("patient/RelatedPerson.rs user/RelatedPerson.rs", scope.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return fhirapi.Call{Tenant: "default", Request: req, Input: access.Input{Now: time.Now(), Grant: access.GrantView{Capacity: c, Patient: c.Patient, Scopes: granted.Clinical}}}
}

var (
	rosa = fhir.Capacity{Kind: fhir.CapacitySelf, Patient: "rosa", Acting: fhir.Reference{Type: "Patient", ID: "rosa"}}
	chen = fhir.Capacity{Kind: fhir.CapacityPractitioner, Acting: fhir.Reference{Type: "Practitioner", ID: "chen"}}
)

// What can be asked about relations, and by whom.
func TestRelatedPersons(t *testing.T) {
	svc := &fhirapi.Service{Relations: shelf{}}
	for _, c := range []struct {
		who        fhir.Capacity
		path, want string
		kind       errs.Kind
	}{
		{rosa, "/RelatedPerson/elena", "elena/1", ""},
		{rosa, "/RelatedPerson/dana", "", errs.NotFound},
		{rosa, "/RelatedPerson/none", "", errs.NotFound},
		{chen, "/RelatedPerson/dana", "dana/1", ""},
		{rosa, "/RelatedPerson/victor/_history/1", "victor/1", ""},
		{rosa, "/RelatedPerson/victor/_history/2", "", errs.NotFound},
		{rosa, "/RelatedPerson/victor/_history/01", "", errs.NotFound},
		{rosa, "/RelatedPerson/dana/_history/1", "", errs.NotFound},
		{rosa, "/RelatedPerson/victor/_history", "victor/3 victor/1", ""},
		{rosa, "/RelatedPerson/dana/_history", "", errs.NotFound},
		{rosa, "/RelatedPerson?patient=rosa", "elena/1 victor/3", ""},
		{rosa, "/RelatedPerson?patient=Patient/rosa&name=VE", "victor/3", ""},
		{rosa, "/RelatedPerson?patient=rosa&name=an", "elena/1 victor/3", ""},
		{rosa, "/RelatedPerson?patient=rosa&identifier=s|acct-elena", "elena/1", ""},
		{rosa, "/RelatedPerson?patient=rosa&identifier=x|acct-elena", "", ""},
		{rosa, "/RelatedPerson?patient=rosa&identifier=acct-elena,acct-victor", "elena/1 victor/3", ""},
		{rosa, "/RelatedPerson?patient=rosa&active=false", "", ""},
		{rosa, "/RelatedPerson?patient=rosa&relationship=DAUC&_id=victor", "victor/3", ""},
		{rosa, "/RelatedPerson?patient=rosa&_id=victor,elena&_id=elena", "elena/1", ""},
		{rosa, "/RelatedPerson?patient=ines", "", ""},
		{rosa, "/RelatedPerson?_id=dana,elena,none", "elena/1", ""},
		{rosa, "/Patient/rosa/RelatedPerson", "elena/1 victor/3", ""},
		{chen, "/RelatedPerson?patient=ines&_count=1&_include=*", "dana/1", ""},
		{chen, "/RelatedPerson?name=x", "", errs.Invalid},
		{chen, "/RelatedPerson?patient=ines&telecom=x", "", errs.Invalid},
		{chen, "/RelatedPerson?patient=ines&name:exact=Diaz", "", errs.Invalid},
	} {
		ans, err := svc.Do(t.Context(), call(t, c.who, c.path))
		items := ans.Many
		if ans.One.Ref.ID != "" && err == nil {
			items = append(items, ans.One)
		}
		var got []string
		for _, it := range items {
			got = append(got, fmt.Sprintf("%s/%d", it.Ref.ID, it.Version))
		}
		if err != nil {
			got = nil
		}
		if strings.Join(got, " ") != c.want || errs.KindOf(err) != c.kind {
			t.Errorf("%s %s: %v %v, want %s %s", c.who.Kind, c.path, got, err, c.want, c.kind)
		}
		if c.kind == errs.NotFound && errs.As(err).Code != "resource-not-found" {
			t.Errorf("%s tells hidden from absent: %v", c.path, err)
		}
	}
	svc.Relations = shelf{down: true}
	for _, path := range []string{"/RelatedPerson/elena", "/RelatedPerson?patient=rosa", "/RelatedPerson?_id=elena", "/RelatedPerson/victor/_history"} {
		if _, err := svc.Do(t.Context(), call(t, rosa, path)); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What is not offered is refused by name.
func TestNotOffered(t *testing.T) {
	svc := &fhirapi.Service{Relations: shelf{}}
	c := call(t, chen, "/RelatedPerson/elena")
	for _, i := range []rest.Interaction{rest.Create, rest.Update, rest.Patch, rest.Delete, rest.HistoryType, rest.Operation} {
		c.Request.Interaction = i
		if _, err := svc.Do(t.Context(), c); !errs.Is(err, errs.NotSupported) {
			t.Errorf("%s: %v", i, err)
		}
	}
	if !fhirapi.Owns("Consent") || !fhirapi.Owns("RelatedPerson") || fhirapi.Owns("Patient") {
		t.Error("who owns what")
	}
}
