package authority_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/proxy"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// world is the state of the day on which a grant is judged anew.
type world struct {
	client   oauth.Client
	relation proxy.RelatedPerson
	consents []string
	fails    string
	ended    bool
}

var errDown = errs.New(errs.Unavailable, "down", "The store does not answer.")

func (w *world) RelatedPersonByID(_ context.Context, _, id string) (proxy.RelatedPerson, error) {
	switch {
	case w.fails == "relation":
		return proxy.RelatedPerson{}, errDown
	case id != w.relation.ID:
		return proxy.RelatedPerson{}, errs.New(errs.NotFound, "related", "There is none.")
	}
	return w.relation, nil
}

func (w *world) PolicyFor(_ context.Context, _, patient string) (*consent.Policy, error) {
	if w.fails == "policy" {
		return nil, errDown
	}
	var list []consent.Consent
	for _, raw := range w.consents {
		c, err := consent.Parse([]byte(raw))
		if err != nil {
			return nil, err
		}
		c.Version = 1
		list = append(list, c)
	}
	return consent.Compile(patient, 1, list, consent.Options{}), nil
}

func (w *world) loader() *authority.Loader {
	return &authority.Loader{Policies: w, Proxies: w, Clock: clock.Fixed(now)}
}

type object = map[string]any

// permit gives a consent of rosa's for rosa-elena.
func permit(t *testing.T, status, label string, until time.Time, types ...string) string {
	t.Helper()
	const act = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	coding := func(system, code string) []object { return []object{{"system": system, "code": code}} }
	var classes []object
	for _, typ := range types {
		classes = append(classes, coding("http://hl7.org/fhir/resource-types", typ)...)
	}
	raw, err := json.Marshal(object{
		"resourceType": "Consent", "id": "c1", "status": status,
		"scope":      object{"coding": coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")},
		"category":   []object{{"coding": coding("http://loinc.org", "59284-0")}, {"coding": coding(act, label)}},
		"patient":    object{"reference": "Patient/rosa"},
		"performer":  []object{{"reference": "Patient/rosa"}},
		"dateTime":   "2026-11-02T10:15:00Z",
		"policy":     []object{{"uri": "https://portal.example.org/policy/proxy/designated/1"}},
		"policyRule": object{"coding": coding(act, "OPTINR")},
		"provision": object{
			"type":   "permit",
			"period": object{"start": "2026-11-02T10:15:00Z", "end": until.Format(time.RFC3339)},
			"actor": []object{{
				"role":      object{"coding": coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")},
				"reference": object{"reference": "RelatedPerson/rosa-elena"},
			}},
			"purpose": coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", "FAMRQT"),
			"class":   classes, "securityLabel": coding(fhir.SystemConfidentiality, "N"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

const proxyScopes = "launch/patient openid fhirUser offline_access patient/Observation.rs patient/Condition.rs"

// elena is a proxy's grant on a day when everything stands.
func elena(t *testing.T) (*world, oauth.Grant) {
	end := now.AddDate(0, 3, 0)
	w := &world{
		client:   oauth.Client{ID: "diary", Scopes: "openid fhirUser launch/patient offline_access patient/*.cruds"},
		relation: proxy.RelatedPerson{ID: "rosa-elena", Patient: "rosa", Active: true},
		consents: []string{permit(t, "active", "INFA", end, "Observation", "Condition")},
	}
	return w, oauth.Grant{
		ID: "g1", ClientID: "diary", PersonID: "p-elena", Scopes: proxyScopes, Offline: true,
		Created: now.Add(-time.Hour), Ends: now.AddDate(1, 0, 0), Context: oauth.Context{Patient: "rosa"},
		Capacity: fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Acting: fhir.Reference{Type: "RelatedPerson", ID: "rosa-elena"}, Patient: "rosa", Purpose: "FAMRQT"},
	}
}

// SC-15, SC-17: what is left of a proxy's grant when the world changed.
func TestRedecideNarrows(t *testing.T) {
	end := now.AddDate(0, 3, 0)
	tests := []struct {
		name   string
		change func(*world, *oauth.Grant)
		asked  string
		want   string
		until  time.Time
		kind   errs.Kind
	}{
		{"nothing changed", func(*world, *oauth.Grant) {}, "", proxyScopes, end, ""},
		{"a subset is asked", func(*world, *oauth.Grant) {}, "patient/Observation.s", "patient/Observation.s", end, ""},
		{"more than the grant", func(*world, *oauth.Grant) {}, "patient/Goal.rs", "", time.Time{}, errs.InvalidScope},
		{"more operations", func(*world, *oauth.Grant) {}, "patient/Observation.cruds", "", time.Time{}, errs.InvalidScope},
		{"a wildcard", func(*world, *oauth.Grant) {}, "patient/*.rs", "", time.Time{}, errs.InvalidScope},
		{"consent names less", func(w *world, _ *oauth.Grant) {
			w.consents = []string{permit(t, "active", "INFA", end, "Observation")}
		}, "", "launch/patient openid fhirUser offline_access patient/Observation.rs", end, ""},
		{"consent names more: the grant stays", func(w *world, _ *oauth.Grant) {
			w.consents = []string{permit(t, "active", "INFA", end, "Observation", "Condition", "Goal")}
		}, "", proxyScopes, end, ""},
		{"consent became view only", func(w *world, _ *oauth.Grant) {
			w.consents = []string{permit(t, "active", "INFAO", end, "Observation", "Condition")}
		}, "", "launch/patient openid fhirUser patient/Observation.rs patient/Condition.rs", end, ""},
		{"consent ends earlier", func(w *world, _ *oauth.Grant) {
			w.consents = []string{permit(t, "active", "INFA", now.Add(10*time.Minute), "Observation", "Condition")}
		}, "", proxyScopes, now.Add(10 * time.Minute), ""},
		{"consent withdrawn", func(w *world, _ *oauth.Grant) {
			w.consents = []string{permit(t, "inactive", "INFA", end, "Observation", "Condition")}
		}, "", "", time.Time{}, errs.AccessDenied},
		{"consent over", func(w *world, _ *oauth.Grant) {
			w.consents = []string{permit(t, "active", "INFA", now.Add(-time.Second), "Observation", "Condition")}
		}, "", "", time.Time{}, errs.AccessDenied},
		{"relation inactive", func(w *world, _ *oauth.Grant) { w.relation.Active = false }, "", "", time.Time{}, errs.AccessDenied},
		{"relation over", func(w *world, _ *oauth.Grant) { w.relation.Period.End = now.Add(-time.Hour) }, "", "", time.Time{}, errs.AccessDenied},
		{"relation to another patient", func(w *world, _ *oauth.Grant) { w.relation.Patient = "noah" }, "", "", time.Time{}, errs.AccessDenied},
		{"relation gone", func(w *world, _ *oauth.Grant) { w.relation.ID = "other" }, "", "", time.Time{}, errs.AccessDenied},
		{"client may do less", func(w *world, _ *oauth.Grant) { w.client.Scopes = "launch/patient patient/Observation.r" }, "", "launch/patient patient/Observation.r", end, ""},
		{"client may do nothing", func(w *world, _ *oauth.Grant) { w.client.Scopes = "openid" }, "", "", time.Time{}, errs.AccessDenied},
		{"client disabled", func(w *world, _ *oauth.Grant) { w.client.Disabled = true }, "", "", time.Time{}, errs.AccessDenied},
		{"grant revoked", func(_ *world, g *oauth.Grant) { g.Revoked = now }, "", "", time.Time{}, errs.AccessDenied},
		{"grant over", func(_ *world, g *oauth.Grant) { g.Ends = now }, "", "", time.Time{}, errs.AccessDenied},
		{"not kept", func(_ *world, g *oauth.Grant) { g.Offline = false }, "", "launch/patient openid fhirUser patient/Observation.rs patient/Condition.rs", end, ""},
		{"approval withdrawn", func(w *world, _ *oauth.Grant) { w.ended = true }, "", "", time.Time{}, errs.AccessDenied},
		{"client gone", func(w *world, _ *oauth.Grant) { w.client = oauth.Client{} }, "", "", time.Time{}, errs.AccessDenied},
		{"relations down", func(w *world, _ *oauth.Grant) { w.fails = "relation" }, "", "", time.Time{}, errs.Unavailable},
		{"consents down", func(w *world, _ *oauth.Grant) { w.fails = "policy" }, "", "", time.Time{}, errs.Unavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, g := elena(t)
			test.change(w, &g)
			got, err := w.loader().Redecide(t.Context(), oauth.Standing{Grant: g, Client: w.client, ApprovalEnded: w.ended}, test.asked)
			if got.Scopes != test.want || !got.ValidUntil.Equal(test.until) || errs.KindOf(err) != test.kind {
				t.Errorf("%q until %v, %v", got.Scopes, got.ValidUntil, err)
			}
		})
	}
}

// A patient's own grant asks no consent, and a later registration does not
// widen it.
func TestRedecideOfTheOwnRecord(t *testing.T) {
	w := &world{client: oauth.Client{ID: "diary", Scopes: "patient/*.cruds launch/patient"}, fails: "policy"}
	g := oauth.Grant{
		Scopes: "launch/patient patient/Observation.rs?category=x|a", Ends: now.Add(time.Hour), Context: oauth.Context{Patient: "rosa"},
		Capacity: fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa", Purpose: "PATRQT"},
	}
	got, err := w.loader().Redecide(t.Context(), oauth.Standing{Grant: g, Client: w.client}, "")
	if err != nil || got.Scopes != g.Scopes || !got.ValidUntil.IsZero() {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := w.loader().Redecide(t.Context(), oauth.Standing{Grant: g, Client: w.client}, "patient/Observation.rs"); !errs.Is(err, errs.InvalidScope) {
		t.Errorf("whole type from a category: %v", err)
	}
}

// SMART REF-10: what was decided once is not told to one whose question differs
// in anything that counts, and a proxy is decided anew each time.
func TestRedecideRemembersNothingElse(t *testing.T) {
	w := &world{fails: "policy"}
	first := oauth.Standing{
		Client: oauth.Client{ID: "diary", Scopes: "patient/*.cruds user/*.rs launch/patient openid fhirUser offline_access"},
		Grant: oauth.Grant{
			Scopes: "launch/patient openid fhirUser offline_access patient/Observation.rs patient/Goal.rs", Ends: now.Add(time.Hour), Offline: true,
			Context:  oauth.Context{Patient: "rosa"},
			Capacity: fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa"},
		},
	}
	shared := w.loader()
	for _, c := range []struct {
		name      string
		change    func(*oauth.Standing)
		requested string
	}{
		{"first", func(*oauth.Standing) {}, ""},
		{"again", func(*oauth.Standing) {}, ""},
		{"less asked", func(*oauth.Standing) {}, "patient/Goal.rs"},
		{"less registered", func(st *oauth.Standing) { st.Client.Scopes = "patient/Observation.rs openid" }, ""},
		{"less granted", func(st *oauth.Standing) { st.Grant.Scopes = "patient/Observation.rs" }, ""},
		{"not kept", func(st *oauth.Standing) { st.Grant.Offline = false }, ""},
		{"no patient", func(st *oauth.Standing) { st.Grant.Context.Patient = "" }, ""},
		{"nobody acts", func(st *oauth.Standing) { st.Grant.Capacity.Acting = fhir.Reference{} }, ""},
		{"another capacity", func(st *oauth.Standing) { st.Grant.Capacity.Kind = fhir.CapacitySystem }, ""},
		{"a proxy", func(st *oauth.Standing) { st.Grant.Capacity.Kind = fhir.CapacityDesignatedProxy }, ""},
		{"revoked", func(st *oauth.Standing) { st.Grant.Revoked = now }, ""},
		{"client disabled", func(st *oauth.Standing) { st.Client.Disabled = true }, ""},
		{"approval withdrawn", func(st *oauth.Standing) { st.ApprovalEnded = true }, ""},
	} {
		st := first
		c.change(&st)
		want, refused := w.loader().Redecide(t.Context(), st, c.requested)
		got, err := shared.Redecide(t.Context(), st, c.requested)
		if !reflect.DeepEqual(got, want) || errs.KindOf(err) != errs.KindOf(refused) {
			t.Errorf("%s: %+v %v, want %+v %v", c.name, got, err, want, refused)
		}
	}
}

// Only a proxy's standing rests on consents; a clinician's is empty.
func TestStanding(t *testing.T) {
	w, g := elena(t)
	st, err := w.loader().Of(t.Context(), "t", g.Capacity, now)
	if err != nil || !st.ProxyInForce || st.Policy == nil {
		t.Errorf("%+v %v", st, err)
	}
	in, err := w.loader().Input(t.Context(), g, now)
	if err != nil || in.Policy == nil || !in.ProxyInForce || !in.Now.Equal(now) || in.Grant.ID != "g1" || !in.Grant.OpenID || in.Grant.Patient != "rosa" {
		t.Errorf("%+v %v", in, err)
	}
	w.fails = "relation"
	if _, err := w.loader().Input(t.Context(), g, now); !errs.Is(err, errs.Unavailable) {
		t.Error(err)
	}
	st, err = w.loader().Of(t.Context(), "t", fhir.Capacity{Kind: fhir.CapacityPractitioner, Acting: fhir.Reference{Type: "Practitioner", ID: "h"}}, now)
	if err != nil || st != (authority.Standing{}) {
		t.Errorf("%+v %v", st, err)
	}
}

// fhirUser alone lets nobody be read: it needs openid (SMART SCP-19).
func TestView(t *testing.T) {
	for scopes, openID := range map[string]bool{"openid fhirUser patient/Goal.r": true, "fhirUser patient/Goal.r": false, "openid patient/Goal.r": false} {
		v := authority.View(oauth.Grant{Scopes: scopes, Topics: []string{"HIV"}})
		if v.OpenID != openID || len(v.Scopes) != 1 || v.Scopes[0].Ops != scope.Read || len(v.Topics) != 1 {
			t.Errorf("%s: %+v", scopes, v)
		}
	}
}

// What a scope string says is read once and stays what it says.
func TestScopesAreReadAnewForAnotherText(t *testing.T) {
	w := &world{}
	for range 2 {
		for _, text := range []string{"patient/Observation.rs", "patient/Condition.r", "patient/Condition.r " + strings.Repeat("x", 3000)} {
			g := oauth.Grant{Tenant: "main", Scopes: text, Capacity: fhir.Capacity{Kind: fhir.CapacitySelf, Patient: "rosa"}}
			in, err := w.loader().Input(t.Context(), g, now)
			if err != nil || !reflect.DeepEqual(in.Grant, authority.View(g)) {
				t.Errorf("%.40s: %+v %v", text, in.Grant, err)
			}
		}
	}
}
