package proxy_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/proxy"
)

const elena = `{"resourceType":"RelatedPerson","id":"rosa-elena","meta":{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-relatedperson"]},
 "active":true,"patient":{"reference":"Patient/rosa"},"period":{"start":"2026-11-02","end":"2027"},
 "relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleCode","code":"DAUC"}]},{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0131","code":"C"}]}]}`

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// RP-01, RP-02, RP-04: what the columns say.
// CPA TR-26, TR-52.
func TestParse(t *testing.T) {
	zone := time.FixedZone("CST", -6*3600)
	rp, err := proxy.Parse([]byte(elena), zone)
	if err != nil {
		t.Fatal(err)
	}
	if rp.ID != "rosa-elena" || rp.Patient != "rosa" || !rp.Active || len(rp.Relationship) != 2 || rp.Relationship[0].Code != "DAUC" {
		t.Errorf("%+v", rp)
	}
	if !rp.Period.Start.Equal(time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)) || !rp.Period.End.Equal(time.Date(2028, 1, 1, 6, 0, 0, -1, time.UTC)) {
		t.Errorf("%v", rp.Period)
	}
	exact := strings.Replace(elena, `"2026-11-02"`, `"2026-11-02T10:00:00+02:00"`, 1)
	if rp, err = proxy.Parse([]byte(exact), zone); err != nil || !rp.Period.Start.Equal(time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("%v %v", rp.Period, err)
	}
	for name, bad := range map[string]string{
		"active not said": strings.Replace(elena, `"active":true,`, "", 1),
		"no patient":      strings.Replace(elena, "Patient/rosa", "Group/rosa", 1),
		"foreign patient": strings.Replace(elena, "Patient/rosa", "https://x.example/Patient/rosa", 1),
		"period reversed": strings.Replace(elena, `"2027"`, `"2025"`, 1),
		"period nonsense": strings.Replace(elena, `"2027"`, `"soon"`, 1),
		"another type":    strings.Replace(elena, `"RelatedPerson"`, `"Patient"`, 1),
		"repeated":        strings.Replace(elena, `"active":true`, `"active":true,"active":false`, 1),
		"no JSON":         "{",
	} {
		if _, err := proxy.Parse([]byte(bad), zone); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// EV-01: in force is active, and in the period, both ends included.
func TestInForce(t *testing.T) {
	r := proxy.RelatedPerson{Active: true, Period: fhir.Period{Start: now, End: now.Add(time.Hour)}}
	for at, want := range map[time.Duration]bool{-1: false, 0: true, time.Hour: true, time.Hour + 1: false} {
		if r.InForce(now.Add(at)) != want {
			t.Errorf("at %v", at)
		}
	}
	r.Active = false
	if r.InForce(now) {
		t.Error("not active")
	}
}

// shelf keeps relations and events; a failing event undoes the write.
type shelf struct {
	proxy.Cases
	relations map[string]proxy.RelatedPerson
	events    []audit.Event
	full      bool
}

func (s *shelf) RelatedPersonByID(_ context.Context, _, id string) (proxy.RelatedPerson, error) {
	r, ok := s.relations[id]
	if !ok {
		return r, errs.New(errs.NotFound, "related-person-not-found", "none")
	}
	return r, nil
}

func (s *shelf) RelatedPersonVersion(ctx context.Context, tenant, id string, _ int) (proxy.RelatedPerson, error) {
	return s.RelatedPersonByID(ctx, tenant, id)
}

func (s *shelf) RelatedPersonsOfPatient(context.Context, string, string) ([]proxy.RelatedPerson, error) {
	return nil, nil
}

func (s *shelf) PutRelatedPerson(_ context.Context, r proxy.RelatedPerson, ifVersion int) error {
	if s.relations[r.ID].Version != ifVersion {
		return errs.New(errs.PreconditionFailed, "version", "changed")
	}
	s.relations[r.ID] = r
	return nil
}

func (s *shelf) AppendAudit(_ context.Context, e audit.Event) error {
	if s.full {
		return errs.New(errs.Unavailable, "audit", "full")
	}
	s.events = append(s.events, e)
	return nil
}

// strict refuses one fault that only a validator of FHIR sees.
type strict struct{}

func (strict) Validate(raw []byte) error {
	if strings.Contains(string(raw), `"active":"yes"`) {
		return errs.New(errs.Invalid, "fhir-invalid", "RelatedPerson.active: not a boolean")
	}
	return nil
}

func newService(t *testing.T) (*proxy.Service, *shelf) {
	t.Helper()
	s := &shelf{relations: map[string]proxy.RelatedPerson{}}
	inTx := func(_ context.Context, fn func(proxy.Tx) error) error { return fn(s) }
	return proxy.NewService(proxy.Deps{Tx: txn.Func[proxy.Tx](inTx), Validator: strict{}, Clock: clock.Fixed(now), IDs: ids.Source{}}), s
}

// A relation is stored with its event, stamped with id, version and time.
func TestSave(t *testing.T) {
	svc, s := newService(t)
	save := func(in proxy.Saving) (proxy.RelatedPerson, error) {
		in.Tenant, in.Origin = "default", audit.Event{PersonID: "admin"}
		return svc.Save(t.Context(), in)
	}
	first, err := save(proxy.Saving{Raw: []byte(elena)})
	if err != nil || first.ID != "rosa-elena" || first.Version != 1 {
		t.Fatalf("%+v %v", first, err)
	}
	var stored struct {
		ID   string
		Meta struct {
			VersionID, LastUpdated string
			Profile                []string
		}
	}
	if err := json.Unmarshal(first.JSON, &stored); err != nil || stored.ID != "rosa-elena" || stored.Meta.VersionID != "1" || stored.Meta.LastUpdated != "2026-11-22T12:00:00.000Z" || len(stored.Meta.Profile) != 1 {
		t.Errorf("%s %v", first.JSON, err)
	}
	e := s.events[0]
	if e.Kind != audit.RelatedPersonSaved || e.Action != "C" || e.Patient != "rosa" || e.Resource.ID != "rosa-elena" || e.ResourceVersion != "1" || e.PersonID != "admin" {
		t.Errorf("%+v", e)
	}
	ended := strings.Replace(elena, `"active":true`, `"active":false`, 1)
	second, err := save(proxy.Saving{ID: "rosa-elena", IfVersion: 1, Raw: []byte(ended)})
	if err != nil || second.Version != 2 || second.Active || s.events[1].Action != "U" {
		t.Errorf("%+v %v", second, err)
	}
	if made, err := save(proxy.Saving{Raw: []byte(strings.Replace(elena, `"id":"rosa-elena",`, "", 1))}); err != nil || !fhir.ValidID(made.ID) {
		t.Errorf("%+v %v", made, err)
	}
	for name, c := range map[string]struct {
		in   proxy.Saving
		kind errs.Kind
	}{
		"stale":           {proxy.Saving{ID: "rosa-elena", IfVersion: 1, Raw: []byte(ended)}, errs.PreconditionFailed},
		"another id":      {proxy.Saving{ID: "other", Raw: []byte(elena)}, errs.Invalid},
		"bad id":          {proxy.Saving{ID: "a b", Raw: []byte(strings.Replace(elena, `"id":"rosa-elena",`, "", 1))}, errs.Invalid},
		"version":         {proxy.Saving{IfVersion: -1, Raw: []byte(elena)}, errs.PreconditionFailed},
		"not FHIR":        {proxy.Saving{Raw: []byte(strings.Replace(elena, `"active":true`, `"active":"yes"`, 1))}, errs.Invalid},
		"active not said": {proxy.Saving{Raw: []byte(strings.Replace(elena, `"active":true,`, "", 1))}, errs.Invalid},
	} {
		if _, err := save(c.in); !errs.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
	s.full = true
	if _, err := save(proxy.Saving{ID: "rosa-elena", IfVersion: 2, Raw: []byte(elena)}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("stored without an event: %v", err)
	}
}

// Import fills in what is missing and leaves what is there.
func TestImport(t *testing.T) {
	svc, s := newService(t)
	victor := strings.Replace(elena, "rosa-elena", "rosa-victor", 1)
	if err := svc.Import(t.Context(), "default", [][]byte{[]byte(elena)}, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if err := svc.Import(t.Context(), "default", [][]byte{[]byte(elena), []byte(victor)}, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if len(s.relations) != 2 || len(s.events) != 2 || s.relations["rosa-elena"].Version != 1 {
		t.Errorf("%d relations, %d events", len(s.relations), len(s.events))
	}
	if err := svc.Import(t.Context(), "default", [][]byte{[]byte("{")}, audit.Event{}); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
}
