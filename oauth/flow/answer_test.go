package flow_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/oauth/flow"
)

const (
	laboratory = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
	vitalSigns = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
)

// granted gives the scopes of a grant.
func granted(g oauth.Grant) []string { return strings.Fields(g.Scopes) }

// SMART US-10, US-16, AZ-18, SCP-10, SCP-11: what the ticks leave of a request.
func TestTicksBecomeScopes(t *testing.T) {
	only := func(typ string, categories ...string) func(*flow.Ticks) {
		return func(k *flow.Ticks) { k.Kinds[typ] = categories }
	}
	without := func(typ string) func(*flow.Ticks) {
		return func(k *flow.Ticks) { delete(k.Kinds, typ) }
	}
	tests := []struct {
		name string
		ask  string
		bend func(*flow.Ticks)
		want []string
	}{
		{"all", "patient/Observation.rs patient/Condition.rs", nil, []string{"patient/Observation.rs", "patient/Condition.rs"}},
		{"one kind less", "patient/Observation.rs patient/Condition.rs", without("Condition"), []string{"patient/Observation.rs"}},
		{"v1 texts stay", "patient/Observation.read", nil, []string{"patient/Observation.read"}},
		{"two categories", "patient/Observation.rs", only("Observation", laboratory, vitalSigns),
			[]string{"patient/Observation.rs?category=" + laboratory, "patient/Observation.rs?category=" + vitalSigns}},
		{"one of two asked categories", "patient/Observation.rs?category=" + laboratory + " patient/Observation.rs?category=" + vitalSigns,
			only("Observation", laboratory), []string{"patient/Observation.rs?category=" + laboratory}},
		{"a category of v1", "patient/Observation.read", only("Observation", laboratory), []string{"patient/Observation.rs?category=" + laboratory}},
		{"a category that was not offered", "patient/Observation.rs patient/Condition.rs", only("Observation", "http://evil.example|x"), []string{"patient/Condition.rs"}},
		{"a kind that was not offered", "patient/Observation.rs", only("Condition"), []string{"patient/Observation.rs"}},
		{"wildcard", "patient/*.rs", nil, []string{"patient/*.rs"}},
		{"actions unticked", "patient/Observation.cruds", func(k *flow.Ticks) { k.Actions = nil }, []string{"patient/Observation.rs"}},
		{"reading unticked", "patient/Observation.cruds", without("Observation"), []string{"patient/Observation.cud"}},
		{"an action that was not offered", "patient/Observation.rs", func(k *flow.Ticks) { k.Actions = []string{"Observation", "*"} }, []string{"patient/Observation.rs"}},
		{"beyond the registration", "patient/Observation.rs system/Observation.rs", nil, []string{"patient/Observation.rs"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			g, _ := w.allow(w.rosa(), test.bend, "scope", test.ask)
			if !slices.Equal(granted(g), test.want) {
				t.Errorf("granted %v, want %v", granted(g), test.want)
			}
		})
	}
}

// SMART US-16, SCP-11: a wildcard with one kind unticked is spelt out, without
// that kind, and can be read back whatever its length (TOK-13).
func TestNarrowedWildcardIsSpeltOut(t *testing.T) {
	for _, ask := range []string{"patient/*.cruds", "patient/*.r patient/*.s user/*.r user/*.s"} {
		w := newWorld(t)
		g, _ := w.allow(w.rosa(), func(k *flow.Ticks) {
			delete(k.Kinds, "Condition")
			k.Kinds["Observation"] = []string{laboratory, vitalSigns}
			k.Actions = nil
		}, "scope", ask)
		view := authority.View(g)
		if len(view.Scopes) < 50 {
			t.Fatalf("%s: %d scopes of %d bytes are left", ask, len(view.Scopes), len(g.Scopes))
		}
		whole := func(typ string) scope.Scope {
			return scope.Scope{Level: scope.Patient, Type: typ, Ops: scope.Read}
		}
		for typ, want := range map[string]bool{"Condition": false, "Observation": false, "Patient": true, "Goal": true, "Flag": true} {
			if view.Scopes.Covers(whole(typ)) != want {
				t.Errorf("%s: %s granted whole: %t", ask, typ, !want)
			}
		}
		for _, text := range granted(g) {
			if strings.Contains(text, "*") {
				t.Errorf("%s: %s", ask, text)
			}
		}
		left, err := w.loader.Redecide(t.Context(), oauth.Standing{Grant: g, Client: w.clients[g.ClientID]}, "")
		if err != nil || left.Scopes != g.Scopes {
			t.Errorf("%s: at refresh %v, %d of %d bytes", ask, err, len(left.Scopes), len(g.Scopes))
		}
	}
}

// Narrowing one kind alone is enough to end a wildcard.
func TestOneNarrowedKindEndsAWildcard(t *testing.T) {
	w := newWorld(t)
	g, _ := w.allow(w.rosa(), func(k *flow.Ticks) { k.Kinds["Observation"] = []string{laboratory} }, "scope", "patient/*.rs")
	set := authority.View(g).Scopes
	if set.Covers(scope.Scope{Level: scope.Patient, Type: "Observation", Ops: scope.Read}) || !set.Covers(scope.Scope{Level: scope.Patient, Type: "Condition", Ops: scope.Read}) {
		t.Error(g.Scopes)
	}
}

// Unticking everything else does not open the types that have no row.
func TestUntickedRestStaysClosed(t *testing.T) {
	w := newWorld(t)
	g, _ := w.allow(w.rosa(), func(k *flow.Ticks) { delete(k.Kinds, scope.AnyType) }, "scope", "patient/*.rs")
	set := authority.View(g).Scopes
	if set.Covers(scope.Scope{Level: scope.Patient, Type: "Flag", Ops: scope.Read}) || !set.Covers(scope.Scope{Level: scope.Patient, Type: "Goal", Ops: scope.Read}) {
		t.Error(g.Scopes)
	}
}

// Granted ∪ explained = requested: nothing asked for goes without a word.
func TestEveryScopeIsGrantedOrExplained(t *testing.T) {
	const ask = "launch launch/patient openid fhirUser profile offline_access unheard/of patient/Foo.rs patient/observation.rs " +
		"patient/Observation.rs?code:in=x patient/Observation.rs patient/Condition.read user/Goal.rs system/*.rs"
	w := newWorld(t)
	g, _ := w.allow(w.rosa(), func(k *flow.Ticks) { delete(k.Kinds, "Condition"); k.Keep = flow.KeepVisit }, "scope", ask)
	var explained []access.Explanation
	if err := json.Unmarshal([]byte(w.events[len(w.events)-1].Detail["explained"]), &explained); err != nil {
		t.Fatal(err)
	}
	told := granted(g)
	for _, e := range explained {
		if e.Code == "" {
			t.Errorf("%s has no cause", e.Scope)
		}
		told = append(told, e.Scope)
	}
	asked := strings.Fields(ask)
	slices.Sort(told)
	slices.Sort(asked)
	if !slices.Equal(told, asked) {
		t.Errorf("told %v, asked %v", told, asked)
	}
	for _, never := range []string{"patient/Foo.rs", "patient/observation.rs", "system/*.rs", "offline_access", "patient/Condition.read"} {
		if slices.Contains(granted(g), never) {
			t.Errorf("granted %s", never)
		}
	}
}

// SMART AZ-18: unticking everything grants nothing, even an identity.
func TestNothingTicked(t *testing.T) {
	w := newWorld(t)
	who := w.rosa()
	p := w.at(w.begin(who, "scope", "openid launch/patient patient/*.cruds"), who, flow.StepConsent)
	_, err := w.service.Allow(t.Context(), p, who, flow.Ticks{Handle: w.offer(p, who).Handle})
	got := w.told(w.service.RefusalURL(refusal(t, err, "access-denied")))
	if got.Get("error") != "access_denied" || got.Get("state") != "s-1" || got.Has("code") || len(w.grants)+w.codes != 0 {
		t.Errorf("%v, %d grants", got, len(w.grants))
	}
}

// SMART AZ-21: an answer counts only for what was shown.
func TestAnswerIsBoundToTheOffer(t *testing.T) {
	w := newWorld(t)
	who := w.rosa()
	p := w.at(w.begin(who), who, flow.StepConsent)
	shown := w.offer(p, who)
	other := w.at(w.begin(who, "scope", "launch/patient patient/Observation.rs patient/Condition.rs"), who, flow.StepConsent)
	same := w.at(w.begin(who), who, flow.StepConsent)
	lens := w.at(w.begin(who, "client_id", "lens"), who, flow.StepConsent)
	for name, handle := range map[string]string{
		"none": "", "made up": strings.Repeat("0", 64), "of a wider request": w.offer(other, who).Handle,
		"of an equal request": w.offer(same, who).Handle, "of another app": w.offer(lens, who).Handle,
	} {
		ticks := everything(shown)
		ticks.Handle = handle
		if _, err := w.service.Allow(t.Context(), p, who, ticks); !errs.Is(err, errs.Conflict) || errs.As(err).Code != "offer-changed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The registration shrinks while the page is open.
	c := w.clients["diary"]
	c.Scopes = "launch/patient patient/Observation.r"
	w.clients["diary"] = c
	ticks := everything(shown)
	ticks.Actions = []string{"Observation"}
	if _, err := w.service.Allow(t.Context(), p, who, ticks); err == nil {
		if g := w.grants[len(w.grants)-1]; g.Scopes != "launch/patient patient/Observation.r" {
			t.Errorf("granted %s", g.Scopes)
		}
	}
	if _, err := w.service.Allow(t.Context(), other, who, everything(shown)); !errs.Is(err, errs.Conflict) {
		t.Errorf("%v", err)
	}
}

// A second answer to one request changes nothing.
func TestAnswerCountsOnce(t *testing.T) {
	w := newWorld(t)
	who := w.rosa()
	p := w.at(w.begin(who), who, flow.StepConsent)
	ticks := everything(w.offer(p, who))
	if _, err := w.service.Allow(t.Context(), p, who, ticks); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Allow(t.Context(), p, who, ticks); !errs.Is(err, errs.Conflict) || len(w.grants) != 1 || w.codes != 1 {
		t.Errorf("%v, %d grants, %d codes", err, len(w.grants), w.codes)
	}
	events := len(w.events)
	if to, err := w.service.Deny(t.Context(), p, who); !errs.Is(err, errs.Conflict) || to != "" || len(w.events) != events {
		t.Errorf("denied after it was allowed: %q %v", to, err)
	}
}

// D8, US: grant, Consent, code, notice and event stand or fall together.
func TestGrantIsOneTransaction(t *testing.T) {
	for _, statement := range []string{"finish", "grant", "consent", "notice", "code", "audit"} {
		w := newWorld(t)
		w.rosa()
		w.relate("rosa-elena", "rosa")
		w.permit("rosa", "rosa-elena", "INFA", start.AddDate(0, 6, 0), "Observation")
		elena := w.person("elena", identity.RoleProxy, "RelatedPerson/rosa-elena")
		p := w.at(w.begin(elena), elena, flow.StepConsent)
		ticks := everything(w.offer(p, elena))
		events := len(w.events)
		w.fails = statement
		if _, err := w.service.Allow(t.Context(), p, elena, ticks); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: %v", statement, err)
		}
		if len(w.grants)+len(w.approved)+len(w.notices)+w.codes != 0 || len(w.events) != events || !w.pendings[p.ID].Done.IsZero() {
			t.Errorf("%s left %d grants, %d consents, %d notices, %d events", statement, len(w.grants), len(w.approved), len(w.notices), len(w.events)-events)
		}
		w.fails = ""
		if _, err := w.service.Allow(t.Context(), p, elena, ticks); err != nil || len(w.notices) != 1 || w.notices[0].PersonID != "p-rosa" {
			t.Errorf("%s: tried again %v, notices %v", statement, err, w.notices)
		}
	}
}

// D14, AU: the grant names the Consent that records it, and so does the event.
func TestApprovalIsAConsent(t *testing.T) {
	w := newWorld(t)
	g, _ := w.allow(w.rosa(), nil)
	if len(w.approved) != 1 || w.approved[0].ID != g.ConsentID || w.approved[0].Patient != "rosa" || w.approved[0].Status != "active" || w.approved[0].Kind != consent.KindAppApproval {
		t.Fatalf("%+v", w.approved)
	}
	e := w.events[len(w.events)-1]
	if e.Kind != audit.GrantCreated || e.GrantID != g.ID || !slices.Equal(e.Consents, []string{"Consent/" + g.ConsentID + "/_history/1"}) || e.Patient != "rosa" {
		t.Errorf("%+v", e)
	}
	hale := w.person("hale", identity.RoleClinician, "Practitioner/hale")
	if g, _ := w.allow(hale, nil, "scope", "user/Observation.rs"); g.ConsentID != "" || len(w.approved) != 1 {
		t.Errorf("a grant over many records is no Consent of a patient: %+v", g)
	}
}

// SMART US-01, US-02, SCP-20…SCP-22: how long a grant lasts.
func TestGrantEnds(t *testing.T) {
	const offline = "launch/patient patient/Observation.rs offline_access"
	keep := func(k flow.Keep) func(*flow.Ticks) { return func(t *flow.Ticks) { t.Keep = k } }
	session := start.Add(8 * time.Hour)
	tests := []struct {
		name            string
		ask             string
		bend            func(*flow.Ticks)
		offline, online bool
		ends            time.Time
		renew           time.Duration
	}{
		{"visit", "launch/patient patient/Observation.rs", nil, false, false, start.Add(time.Hour), 0},
		{"keep without being asked", "launch/patient patient/Observation.rs", keep(flow.KeepYear), false, false, start.Add(time.Hour), 0},
		{"a quarter", offline, keep(flow.KeepQuarter), true, false, start.Add(92 * 24 * time.Hour), 92 * 24 * time.Hour},
		{"a week", offline, keep(flow.KeepWeek), true, false, start.AddDate(0, 0, 7), 0},
		{"a year", offline, keep(flow.KeepYear), true, false, start.AddDate(1, 0, 0), 0},
		{"turned off", offline, keep(flow.KeepVisit), false, false, start.Add(time.Hour), 0},
		{"made up", offline, keep("99y"), false, false, start.Add(time.Hour), 0},
		{"online", "launch/patient patient/Observation.rs online_access", keep(flow.KeepVisit), false, true, session, 0},
		{"both, turned off", offline + " online_access", keep(flow.KeepVisit), false, true, session, 0},
		{"both", offline + " online_access", keep(flow.KeepWeek), true, false, start.AddDate(0, 0, 7), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			g, _ := w.allow(w.rosa(), test.bend, "scope", test.ask)
			if g.Offline != test.offline || g.Online != test.online || !g.Ends.Equal(test.ends) || g.RenewFor != test.renew {
				t.Errorf("offline %t online %t until %v renewed by %v", g.Offline, g.Online, g.Ends, g.RenewFor)
			}
			if slices.Contains(granted(g), "offline_access") != test.offline {
				t.Errorf("told %s", g.Scopes)
			}
		})
	}
}

// SC-16, A.10: a proxy's grant is explicit, never outlives the consent, and a
// view-only consent gives no access while away.
func TestProxyGrantStaysWithinTheConsent(t *testing.T) {
	for _, category := range []string{"INFAO", "INFA"} {
		w := newWorld(t)
		until := start.AddDate(0, 0, 30)
		w.relate("rosa-elena", "rosa")
		w.permit("rosa", "rosa-elena", category, until, "MedicationRequest", "Appointment")
		elena := w.person("elena", identity.RoleProxy, "RelatedPerson/rosa-elena")
		p := w.at(w.begin(elena, "scope", "launch/patient patient/*.cruds user/*.rs offline_access"), elena, flow.StepConsent)
		o := w.offer(p, elena)
		if o.KeepOffered != (category == "INFA") || !o.KeepAsked || !o.MoreHidden || len(o.Topics) != 0 {
			t.Errorf("%s: %+v", category, o)
		}
		ticks := everything(o)
		ticks.Kinds["Condition"], ticks.Keep, ticks.Topics = nil, flow.KeepYear, []string{"HIV"}
		if _, err := w.service.Allow(t.Context(), p, elena, ticks); err != nil {
			t.Fatal(err)
		}
		g := w.grants[0]
		if visit := start.Add(5 * time.Minute); !g.Offline && !g.Ends.Equal(visit) {
			t.Errorf("%s: a proxy's visit ends %v (SC-14)", category, g.Ends)
		}
		if g.Ends.After(until) || g.Offline != o.KeepOffered || len(g.Topics) != 0 || len(g.Consents) != 1 {
			t.Errorf("%s: %+v", category, g)
		}
		for _, text := range granted(g) {
			if strings.Contains(text, "*") || strings.HasPrefix(text, "user/") || strings.Contains(text, "Condition") {
				t.Errorf("%s: granted %s", category, text)
			}
		}
	}
}

// WM-13: what a consent no longer permits when the answer comes is not granted.
func TestConsentEndsWhileThePageIsOpen(t *testing.T) {
	w := newWorld(t)
	w.relate("rosa-elena", "rosa")
	w.permit("rosa", "rosa-elena", "INFA", start.Add(10*time.Minute), "Observation")
	elena := w.person("elena", identity.RoleProxy, "RelatedPerson/rosa-elena")
	p := w.at(w.begin(elena), elena, flow.StepConsent)
	ticks := everything(w.offer(p, elena))
	w.clock.now = start.Add(11 * time.Minute)
	if _, err := w.service.Allow(t.Context(), p, elena, ticks); err == nil || len(w.grants) != 0 {
		t.Errorf("%v, %d grants", err, len(w.grants))
	}
	_, err := w.service.Offer(t.Context(), p, elena)
	refusal(t, err, "access-denied")
}

// Topics are those that the page listed (AZ-21), and only of the own record.
func TestTopicsAreKnownOnes(t *testing.T) {
	w := newWorld(t)
	w.entries["Observation"] = []string{entry("1", "laboratory", actCode, "HIV")}
	g, _ := w.allow(w.rosa(), func(k *flow.Ticks) { k.Topics = []string{"HIV", "everything", "R"} })
	if !slices.Equal(g.Topics, []string{"HIV"}) {
		t.Error(g.Topics)
	}
	// A page that listed none lets none be ticked, whatever its handle is made
	// to say.
	g, _ = w.allow(w.rosa(), func(k *flow.Ticks) { k.Topics = []string{"R"} })
	if len(g.Topics) != 0 {
		t.Error(g.Topics)
	}
	who := w.rosa()
	p := w.at(w.begin(who), who, flow.StepConsent)
	ticks := everything(w.offer(p, who))
	ticks.Handle, ticks.Topics = "R,"+ticks.Handle, []string{"R"}
	if _, err := w.service.Allow(t.Context(), p, who, ticks); !errs.Is(err, errs.Conflict) {
		t.Errorf("a handle with one topic more: %v", err)
	}
}
