package authority_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/proxy"
)

// examples compiles the example Consents of the consent room.
type examples struct{ policy *consent.Policy }

func (e examples) PolicyFor(context.Context, string, string) (*consent.Policy, error) {
	return e.policy, nil
}

// relations is a circle of people around Rosa.
type relations []proxy.RelatedPerson

func (r relations) RelatedPersonsOfPatient(context.Context, string, string) ([]proxy.RelatedPerson, error) {
	return r, nil
}

func (r relations) RelatedPersonByID(_ context.Context, _, id string) (proxy.RelatedPerson, error) {
	i := slices.IndexFunc(r, func(p proxy.RelatedPerson) bool { return p.ID == id })
	return r[i], nil
}

// FX-07, FX-08, FX-17…FX-19: what is said about each person is what the
// decision gives them: ordinary data, topics, or single entries only.
func TestCircleSaysWhoSeesWhat(t *testing.T) {
	at := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
	var list []consent.Consent
	files, err := filepath.Glob("../../consent/testdata/e[1-6]*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("examples: %v %v", files, err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := consent.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	circle := relations{}
	for _, id := range []string{"rosa-elena", "rosa-tomas", "rosa-marcus", "rosa-victor", "rosa-ines"} {
		circle = append(circle, proxy.RelatedPerson{
			Tenant: "default", ID: id, Patient: "rosa", Active: true,
			Relationship: []fhir.Coding{{System: fhir.SystemRoleCode, Code: "EXT"}},
		})
	}
	l := authority.Loader{Policies: examples{consent.Compile("rosa", 1, list, consent.Options{})}, Proxies: circle, Clock: clock.Fixed(at)}
	got, err := l.Circle(t.Context(), circle, "default", "rosa")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]authority.Access{}
	for _, a := range got {
		seen[a.Capacity.Acting.ID] = a
	}
	for id, want := range map[string]struct {
		ordinary bool
		topics   []access.Topic
	}{
		"rosa-elena": {ordinary: true},
		"rosa-tomas": {ordinary: true},
		"rosa-marcus": {ordinary: true, topics: []access.Topic{
			access.TopicMentalHealth, access.TopicHIV, access.TopicSexual, access.TopicViolence, access.TopicGenetics, access.TopicRestricted,
		}},
		"rosa-ines": {},
	} {
		a, ok := seen[id]
		if !ok {
			t.Errorf("%s is not listed", id)
			continue
		}
		if a.Ordinary != want.ordinary || !slices.Equal(a.Topics, want.topics) {
			t.Errorf("%s: ordinary %v, topics %v; want %v, %v", id, a.Ordinary, a.Topics, want.ordinary, want.topics)
		}
	}
	if _, ok := seen["rosa-victor"]; ok {
		t.Error("a blocked person is listed as having access")
	}
}

// CPA TF-22, EV-14: an executor stands in the patient's shoes as an agent does, and
// what a relation opens ends with it.
func TestARelationBoundsWhatItOpens(t *testing.T) {
	at := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
	ends := at.AddDate(0, 1, 0)
	raw, err := consent.Designation{
		Patient: "rosa", Actor: fhir.Reference{Type: "RelatedPerson", ID: "exe"}, Performer: fhir.Reference{Type: "RelatedPerson", ID: "exe"},
		Kinds: []string{"medicines"}, Purpose: "HDECD", Role: "EXCEST", At: at, From: at, Until: at.AddDate(0, 6, 0), Status: "active",
	}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	c, err := consent.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	c.ID = "e7"
	for _, until := range []time.Time{{}, ends, at.AddDate(1, 0, 0)} {
		rp := proxy.RelatedPerson{Tenant: "default", ID: "exe", Patient: "rosa", Active: true, Period: fhir.Period{End: until}}
		l := authority.Loader{
			Policies: examples{consent.Compile("rosa", 1, []consent.Consent{c}, consent.Options{})}, Proxies: relations{rp}, Clock: clock.Fixed(at),
		}
		got, err := l.AccessOf(t.Context(), rp)
		if err != nil || len(got) != 1 || got[0].Capacity.Kind != fhir.CapacityRepresentative {
			t.Fatalf("%+v %v", got, err)
		}
		want := at.AddDate(0, 6, 0)
		if until.Equal(ends) {
			want = ends
		}
		if !got[0].Until.Equal(want) {
			t.Errorf("a relation until %s opens until %s, want %s", until, got[0].Until, want)
		}
	}
}
