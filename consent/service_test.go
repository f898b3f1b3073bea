package consent

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
)

// memory is a store of one process, with transactions by copy.
type memory struct {
	versions map[string][]Record
	epochs   map[string]int64
	events   []audit.Event
	evidence []evidence.Record
	// campaigns are the withdrawn policies; steps counts what was kept of them.
	campaigns map[string]Campaign
	steps     int
	loads     int
	auditErr  error
}

func newMemory() *memory {
	return &memory{versions: map[string][]Record{}, epochs: map[string]int64{}, campaigns: map[string]Campaign{}}
}

func (m *memory) InTx(_ context.Context, fn func(FilingTx) error) error {
	before := memory{versions: maps.Clone(m.versions), epochs: maps.Clone(m.epochs), events: slices.Clone(m.events),
		campaigns: maps.Clone(m.campaigns), evidence: slices.Clone(m.evidence)}
	err := fn(m)
	if err != nil {
		m.versions, m.epochs, m.events, m.campaigns = before.versions, before.epochs, before.events, before.campaigns
		m.evidence = before.evidence
	}
	return err
}

var _ txn.Runner[FilingTx] = (*memory)(nil)

func (m *memory) ConsentByID(_ context.Context, tenant, id string) (Record, error) {
	all := m.versions[tenant+"/"+id]
	if len(all) == 0 {
		return Record{}, errs.New(errs.NotFound, "consent", "There is no such Consent.")
	}
	return all[len(all)-1], nil
}

func (m *memory) ConsentVersion(_ context.Context, tenant, id string, version int) (Record, error) {
	all := m.versions[tenant+"/"+id]
	if version < 1 || version > len(all) {
		return Record{}, errs.New(errs.NotFound, "consent", "There is no such version.")
	}
	return all[version-1], nil
}

func (m *memory) ConsentHistory(_ context.Context, tenant, id string) ([]Record, error) {
	out := slices.Clone(m.versions[tenant+"/"+id])
	slices.Reverse(out)
	return out, nil
}

func (m *memory) newest(tenant string, keep func(Record) bool) []Record {
	var out []Record
	for _, all := range m.versions {
		if last := all[len(all)-1]; last.Tenant == tenant && keep(last) {
			out = append(out, last)
		}
	}
	slices.SortFunc(out, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (m *memory) ConsentsOfPatient(_ context.Context, tenant, patient string) ([]Record, error) {
	m.loads++
	return m.newest(tenant, func(r Record) bool { return r.Patient == patient }), nil
}

func (m *memory) ConsentsOfActor(_ context.Context, tenant string, actor fhir.Reference) ([]Record, error) {
	return m.newest(tenant, func(r Record) bool { return slices.Contains(r.Actors, actor) }), nil
}

func (m *memory) PutConsent(_ context.Context, rec Record, ifVersion int) error {
	key := rec.Tenant + "/" + rec.ID
	switch have := len(m.versions[key]); {
	case ifVersion == 0 && have > 0:
		return errs.New(errs.Conflict, "consent-exists", "The Consent exists.")
	case ifVersion != have:
		return errs.New(errs.PreconditionFailed, "consent-version", "The Consent has another version.")
	}
	m.versions[key] = append(m.versions[key], rec)
	m.epochs[rec.Tenant+"/"+rec.Patient]++
	return nil
}

func (m *memory) PutEvidence(_ context.Context, r evidence.Record, _ int) error {
	m.evidence = append(m.evidence, r)
	return nil
}

func (m *memory) ConsentEpoch(_ context.Context, tenant, patient string) (int64, error) {
	return m.epochs[tenant+"/"+patient], nil
}

func (m *memory) ActiveGrants(_ context.Context, tenant, after string, limit int) ([]Record, error) {
	all := m.newest(tenant, func(r Record) bool { return r.ID > after && r.Kind == KindGrant && r.Status == "active" })
	return all[:min(limit, len(all))], nil
}

func (m *memory) PolicyCampaign(_ context.Context, tenant, uri string) (Campaign, error) {
	c, ok := m.campaigns[tenant+"/"+uri]
	if !ok {
		return c, errs.New(errs.NotFound, "policy-campaign", "It was not withdrawn.")
	}
	return c, nil
}

func (m *memory) PutPolicyCampaign(_ context.Context, c Campaign) error {
	m.steps++
	m.campaigns[c.Tenant+"/"+c.URI] = c
	return nil
}

func (m *memory) AppendAudit(_ context.Context, e audit.Event) error {
	if m.auditErr != nil {
		return m.auditErr
	}
	m.events = append(m.events, e)
	return nil
}

const tenant = "t1"

func service(t testing.TB) (*Service, *memory) {
	t.Helper()
	v, err := codec.New()
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	return NewService(Deps{Store: m, Tx: m, Validator: v, CachedPatients: 2,
		Clock: clock.Fixed(time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC))}), m
}

func elenaMayRead(t testing.TB, s *Service) Result {
	t.Helper()
	p, err := s.PolicyFor(context.Background(), tenant, "rosa")
	if err != nil {
		t.Fatal(err)
	}
	return Evaluate(p, Question{Patient: "rosa", Actors: person("rosa-elena"), Purpose: "FAMRQT", At: s.deps.Clock.Now(),
		Resource: fhir.Resource{Type: "MedicationRequest", Labels: labels("N")}})
}

// TestFileDecideWithdraw is the life of one grant: filed with its event, in
// force at once, ended at once, still in the history (LC-10).
// CPA TR-48.
func TestFileDecideWithdraw(t *testing.T) {
	ctx := context.Background()
	s, m := service(t)
	if got := elenaMayRead(t, s); got.Permit {
		t.Fatalf("before: %+v", got)
	}
	rec, err := s.File(ctx, Filing{Tenant: tenant, Raw: examples(t)["e1-daughter-meds-appts"], ID: "e1-daughter-meds-appts",
		Origin: audit.Event{PersonID: "person-1", RequestID: "req-1"}})
	if err != nil {
		t.Fatal(err)
	}
	if rec.Version != 1 || rec.Patient != "rosa" || rec.Status != "active" || rec.Kind != KindGrant ||
		!slices.Contains(rec.Actors, person("rosa-elena")[0]) {
		t.Errorf("record %+v", rec)
	}
	if got := elenaMayRead(t, s); !got.Permit || got.Consents[0] != "Consent/e1-daughter-meds-appts/_history/1" {
		t.Errorf("in force: %+v", got)
	}
	elenaMayRead(t, s)
	if m.loads != 2 {
		t.Errorf("%d loads, want one per epoch", m.loads)
	}
	ended, err := s.Withdraw(ctx, tenant, rec.ID, audit.Event{PersonID: "person-1"})
	if err != nil || ended.Version != 2 || ended.Status != "inactive" {
		t.Fatalf("%+v %v", ended, err)
	}
	if got := elenaMayRead(t, s); got.Permit {
		t.Errorf("after: %+v", got)
	}
	again, err := s.Withdraw(ctx, tenant, rec.ID, audit.Event{})
	if err != nil || again.Version != 2 {
		t.Errorf("twice: %+v %v", again, err)
	}
	first, err := m.ConsentVersion(ctx, tenant, rec.ID, 1)
	if err != nil || first.Status != "active" || !bytes.Contains(first.JSON, []byte(`"versionId":"1"`)) {
		t.Errorf("history: %s %v", first.JSON, err)
	}
	if len(m.events) != 2 || m.events[0].Kind != audit.ConsentFiled || m.events[0].Action != "C" ||
		m.events[0].PersonID != "person-1" || m.events[0].Patient != "rosa" ||
		m.events[1].Kind != audit.ConsentWithdrawn || m.events[1].Consents[0] != "Consent/e1-daughter-meds-appts/_history/2" {
		t.Errorf("events %+v", m.events)
	}
	if err := s.deps.Validator.Validate(ended.JSON); err != nil {
		t.Errorf("the stored version: %v", err)
	}
	witnessed(t, s, m)
}

// witnessed: each version has a Provenance of its own (RS-11, PV-01 … PV-03): the
// author of the one who signed, and who pressed the button.
func witnessed(t *testing.T, s *Service, m *memory) {
	t.Helper()
	if len(m.evidence) != 2 {
		t.Fatalf("%d records for two versions", len(m.evidence))
	}
	for i, want := range [][]string{
		{`"Consent/e1-daughter-meds-appts/_history/1"`, `"CREATE"`, `"SUBCON"`, `"reference":"Patient/rosa"`, `"person-1"`},
		{`"Consent/e1-daughter-meds-appts/_history/2"`, `"UPDATE"`, `"revision"`, `"enterer"`},
	} {
		r := m.evidence[i]
		if err := s.deps.Validator.Validate(r.JSON); err != nil || r.Patient != "rosa" || r.Focus != "Consent/e1-daughter-meds-appts" {
			t.Errorf("%+v %v", r, err)
		}
		for _, text := range want {
			if !bytes.Contains(r.JSON, []byte(text)) {
				t.Errorf("%s is missing in %s", text, r.JSON)
			}
		}
	}
	if bytes.Contains(m.evidence[1].JSON, []byte("SUBCON")) {
		t.Error("an end is signed by who gave the consent")
	}
}

// TestNoAuditNoConsent: without its event nothing is stored (D8).
func TestNoAuditNoConsent(t *testing.T) {
	s, m := service(t)
	m.auditErr = errs.New(errs.Unavailable, "down", "The store is down.")
	_, err := s.File(context.Background(), Filing{Tenant: tenant, Raw: examples(t)["e1-daughter-meds-appts"]})
	if !errors.Is(err, m.auditErr) || len(m.versions) != 0 || len(m.epochs) != 0 {
		t.Errorf("%v %v", err, m.versions)
	}
}

// TestTwoEditors: the second of two changes on the same version is refused.
func TestTwoEditors(t *testing.T) {
	ctx := context.Background()
	s, _ := service(t)
	f := Filing{Tenant: tenant, Raw: examples(t)["e2-husband-full-normal"], ID: "e2-husband-full-normal"}
	if _, err := s.File(ctx, f); err != nil {
		t.Fatal(err)
	}
	if _, err := s.File(ctx, f); !errs.Is(err, errs.Conflict) {
		t.Errorf("create twice: %v", err)
	}
	f.IfVersion = 1
	if rec, err := s.File(ctx, f); err != nil || rec.Version != 2 {
		t.Errorf("update: %+v %v", rec, err)
	}
	if _, err := s.File(ctx, f); !errs.Is(err, errs.PreconditionFailed) {
		t.Errorf("stale update: %v", err)
	}
}

// TestRefusedAtFiling: what would be stored and then do nothing is refused
// with the element.
func TestRefusedAtFiling(t *testing.T) {
	good := string(examples(t)["e1-daughter-meds-appts"])
	for name, tt := range map[string]struct {
		old, new, says string
		kind           errs.Kind
	}{
		"modifier extension": {`"dateTime"`, `"modifierExtension": [{"url": "urn:x", "valueBoolean": true}], "dateTime"`, "Consent.modifierExtension", errs.Unprocessable},
		"patient elsewhere":  {`"reference": "Patient/rosa"`, `"reference": "https://x.example/fhir/Patient/rosa"`, "Consent.patient", errs.Unprocessable},
		"unknown policy":     {"https://portal.example.org/policy/", "https://x.example/policy/", "Consent.policy.uri", errs.Unprocessable},
		"not FHIR":           {`"status": "active"`, `"status": "maybe"`, "Consent.status", errs.Invalid},
		"no policy at all":   {`"policy"`, `"_policy"`, "Consent", errs.Invalid},
		"another id":         {`"id": "e1-daughter-meds-appts"`, `"id": "other"`, "Consent.id", errs.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			s, m := service(t)
			bad := strings.Replace(good, tt.old, tt.new, 1)
			if bad == good {
				t.Fatal("the case changes nothing")
			}
			_, err := s.File(context.Background(), Filing{Tenant: tenant, Raw: []byte(bad), ID: "e1-daughter-meds-appts"})
			if !errs.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v", err)
			}
			if len(m.versions)+len(m.events) > 0 {
				t.Error("something was written")
			}
		})
	}
}

// TestUnreadableRecordDenies: a damaged row shuts proxies out (EV-02).
func TestUnreadableRecordDenies(t *testing.T) {
	s, m := service(t)
	if _, err := s.File(context.Background(), Filing{Tenant: tenant, Raw: examples(t)["e1-daughter-meds-appts"]}); err != nil {
		t.Fatal(err)
	}
	damaged := Record{Tenant: tenant, ID: "x", Version: 1, Patient: "rosa", Status: "active", Kind: KindProhibition, JSON: []byte("{")}
	if err := m.PutConsent(context.Background(), damaged, 0); err != nil {
		t.Fatal(err)
	}
	if got := elenaMayRead(t, s); got.Permit || got.Reason != "PROHIBITED:x" {
		t.Errorf("%+v", got)
	}
}

func TestCacheIsBoundedAndApart(t *testing.T) {
	ctx := context.Background()
	s, m := service(t)
	for _, p := range []string{"a", "b", "c", "a"} {
		if got, err := s.PolicyFor(ctx, tenant, p); err != nil || got.Patient() != p {
			t.Fatalf("%v %v", got, err)
		}
	}
	if m.loads != 4 || len(s.cache.byKey) != 2 {
		t.Errorf("%d loads, %d kept", m.loads, len(s.cache.byKey))
	}
	if _, err := s.PolicyFor(ctx, "other", "a"); err != nil || m.loads != 5 {
		t.Errorf("tenants share a policy: %d loads, %v", m.loads, err)
	}
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	c := newCache(3)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				key := cacheKey{tenant, strconv.Itoa((n + i) % 5)}
				if p := c.get(key, 1); p != nil && p.patient != key.patient {
					t.Errorf("%s got the policy of %s", key.patient, p.patient)
				}
				c.put(key, &Policy{patient: key.patient, epoch: 1})
			}
		})
	}
	wg.Wait()
	if c.order.Len() != 3 || len(c.byKey) != 3 {
		t.Errorf("%d, %d kept", c.order.Len(), len(c.byKey))
	}
}

func TestSearch(t *testing.T) {
	ctx := context.Background()
	s, _ := service(t)
	// The last of the examples was given by then.
	s.deps.Clock = clock.Fixed(time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC))
	for id, raw := range examples(t) {
		if _, err := s.File(ctx, Filing{Tenant: tenant, Raw: raw, ID: id}); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	if _, err := s.Withdraw(ctx, tenant, "e2-husband-full-normal", audit.Event{}); err != nil {
		t.Fatal(err)
	}
	may, _ := fhir.ParseDate("2027-05")
	for name, tt := range map[string]struct {
		filter Filter
		want   string
	}{
		"patient":     {Filter{Patient: "noah"}, "e5-teen-mother-limited"},
		"actor":       {Filter{Actor: person("rosa-elena")[0]}, "e1-daughter-meds-appts"},
		"both":        {Filter{Patient: "noah", Actor: person("rosa-elena")[0]}, ""},
		"status":      {Filter{Patient: "rosa", Statuses: []string{"inactive"}}, "e2-husband-full-normal"},
		"kind":        {Filter{Patient: "rosa", Kinds: []Kind{KindProhibition}}, "e4-block-former-spouse"},
		"category":    {Filter{Patient: "rosa", Category: fhir.Coding{Code: "INFAO"}}, "e1-daughter-meds-appts"},
		"period":      {Filter{Patient: "rosa", Period: may, Statuses: []string{"active"}}, "e1-daughter-meds-appts e4-block-former-spouse e7-executor"},
		"other store": {Filter{Tenant: "x", Patient: "noah"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.filter.Tenant == "" {
				tt.filter.Tenant = tenant
			}
			got, err := s.Search(ctx, tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, r := range got {
				ids = append(ids, r.ID)
			}
			if strings.Join(ids, " ") != tt.want {
				t.Errorf("got %v, want %s", ids, tt.want)
			}
		})
	}
	if _, err := s.Search(ctx, Filter{Tenant: tenant}); !errs.Is(err, errs.Invalid) {
		t.Errorf("unbounded search: %v", err)
	}
}

// CPA TR-27: a prohibition that others file with an end leaves a Task to look at it
// before, dated where the patients live; one without an end, one that is over and a
// grant leave none.
func TestAProhibitionThatWouldLapseIsLookedAt(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	stop := func(provision string) string { return strings.Replace(base(provision), "OPTINR", "OPTOUT", 1) }
	until := `"period":{"end":"2027-05"}`
	for _, tt := range []struct{ name, raw, end string }{
		{"without an end", stop(`{"type":"deny",` + actorA + `}`), ""},
		{"with one", stop(`{"type":"deny",` + until + `,` + actorA + `}`), "2027-06-01T04:59:59.999Z"},
		{"a denial in it", stop(`{"type":"deny",` + actorA + `,` + medicines + `,"provision":[{"type":"deny",` + until + `,` + hiv + `}]}`), "2027-06-01T04:59:59.999Z"},
		{"an exception of it", stop(`{"type":"deny","provision":[{"type":"permit",` + until + `,` + actorA + `,` + labelNR + `}]}`), ""},
		{"ended", strings.Replace(stop(`{"type":"deny",`+until+`,`+actorA+`}`), `"active"`, `"inactive"`, 1), ""},
		{"a grant", base(`{"type":"permit",` + until + `,` + actorA + `}`), ""},
	} {
		s, m := service(t)
		s.deps.Options.Zone = chicago
		if _, err := s.File(t.Context(), Filing{Tenant: tenant, ID: "g", Raw: []byte(tt.raw)}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var tasks []string
		for _, r := range m.evidence {
			if r.Type == evidence.TypeTask {
				tasks = append(tasks, string(r.JSON))
			}
		}
		switch {
		case tt.end == "" && len(tasks) > 0:
			t.Errorf("%s: %v", tt.name, tasks)
		case tt.end != "" && (len(tasks) != 1 || !strings.Contains(tasks[0], tt.end) || !strings.Contains(tasks[0], `"Consent/g"`)):
			t.Errorf("%s: %v, want the end %s", tt.name, tasks, tt.end)
		}
	}
}
