package fhirevent_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/internal/errs"
)

var names = fhirevent.Names{
	Issuer: "https://id.example.org", Site: "id.example.org", FHIRBase: "https://id.example.org/fhir",
	Custodian: fhir.Reference{Type: "Organization", ID: "lakeside"},
}

// elena reads one of Rosa's prescriptions through an app.
func elena() audit.Event {
	return audit.Event{
		ID: "0123456789abcdef0123456789abcdef", Tenant: "default", Time: time.Date(2026, 11, 10, 18, 22, 40, 10_000_000, time.UTC),
		Kind: audit.FHIRRead, Action: "R", Outcome: audit.Success, PersonID: "p-elena",
		Capacity: fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Acting: fhir.Reference{Type: "RelatedPerson", ID: "rosa-elena"},
			Patient: "rosa", Purpose: "FAMRQT", Relationship: "DAUC"},
		ClientID: "meds-companion", SessionID: strings.Repeat("5", 64), Patient: "rosa",
		Resource: fhir.Reference{Type: "MedicationRequest", ID: "mr-88"}, ResourceVersion: "3",
		GrantID: "g-1", Consents: []string{"Consent/e1/_history/1"}, TokenID: "01JCF3N7Q2", Network: "203.0.113.24", RequestID: "req-7",
	}
}

// kinds reads the constants of package audit, so that a new kind cannot be
// forgotten here.
func kinds(t *testing.T) []audit.Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []audit.Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Kind" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, audit.Kind(text))
		}
		return true
	})
	if len(out) < 30 {
		t.Fatalf("only %d kinds found", len(out))
	}
	return out
}

// event is what the tests look at.
type event struct {
	ID          string
	Meta        struct{ Profile []string }
	Type        coding
	Subtype     []coding
	Action      string
	Recorded    string
	Outcome     string
	OutcomeDesc string
	Agent       []agent
	Source      struct {
		Observer who
		Type     []coding
	}
	Entity []struct {
		What   who
		Type   coding
		Role   coding
		Query  string
		Detail []struct{ Type, ValueString string }
	}
}

type coding struct{ System, Code string }

type who struct {
	Reference  string
	Identifier struct{ System, Value string }
}

type agent struct {
	Type struct{ Coding []coding }
	Role []struct{ Coding []coding }
	Who  who
	// Requestor is a pointer because R4 demands its presence.
	Requestor    *bool
	Policy       []string
	Network      *struct{ Address, Type string }
	PurposeOfUse []struct{ Coding []coding }
}

func (a agent) code() string {
	if len(a.Type.Coding) == 0 {
		return ""
	}
	return a.Type.Coding[0].Code
}

// mapped maps, validates as R4 and reads back.
func mapped(t *testing.T, e audit.Event, n fhirevent.Names) event {
	t.Helper()
	raw, err := fhirevent.Map(e, n)
	if err != nil {
		t.Fatalf("%s: %v", e.Kind, err)
	}
	r4, err := codec.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := r4.ValidateType(raw, "AuditEvent"); err != nil {
		t.Fatalf("%s is no valid R4: %v\n%s", e.Kind, err, raw)
	}
	var out event
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	// What Mandate claims of its own is tried elsewhere.
	var theirs []string
	for _, p := range out.Meta.Profile {
		if !strings.HasPrefix(p, fhir.Canonical) {
			theirs = append(theirs, p)
		}
	}
	out.Meta.Profile = theirs
	if slices.ContainsFunc(out.Agent, func(a agent) bool { return a.Requestor == nil }) || !slices.ContainsFunc(out.Agent, func(a agent) bool { return *a.Requestor }) {
		t.Errorf("%s: nobody is the requestor: %s", e.Kind, raw)
	}
	for _, empty := range []string{`""`, `[]`, `{}`, `null`} {
		if bytes.Contains(raw, []byte(":"+empty)) {
			t.Errorf("%s: an empty element: %s", e.Kind, raw)
		}
	}
	return out
}

// AR-08: every kind, with much and with little known, is valid R4.
func TestEveryKindIsValid(t *testing.T) {
	for _, k := range kinds(t) {
		for _, action := range []string{"C", "R", "U", "D", "E"} {
			for _, outcome := range []audit.Outcome{audit.Success, audit.MinorFailure, audit.SeriousFailure} {
				e := elena()
				e.Kind, e.Action, e.Outcome, e.Reason = k, action, outcome, "because"
				e.Query, e.Count, e.Detail = "code=a|b&_count=5", 3, map[string]string{"amr": "pwd otp", "role": "proxy"}
				got := mapped(t, e, names)
				if got.OutcomeDesc != "because" || got.Outcome != string(outcome) || got.Recorded != "2026-11-10T18:22:40.010000Z" {
					t.Errorf("%s: %+v", k, got)
				}
				mapped(t, audit.Event{Tenant: "default", Time: e.Time, Kind: k, Action: action, Outcome: outcome}, fhirevent.Names{})
			}
		}
	}
}

func TestWhatCannotBeMapped(t *testing.T) {
	e := elena()
	e.Kind = "made.up"
	if _, err := fhirevent.Map(e, names); errs.As(err).Code != "audit-kind-unmapped" {
		t.Error(err)
	}
	e = elena()
	e.Time = time.Time{}
	if _, err := fhirevent.Map(e, names); errs.As(err).Code != "audit-time-missing" {
		t.Error(err)
	}
}

// AU-07, AU-11, AU-12: a proxy's read names the app, the delegate, the patient
// who delegated and the authority.
func TestAProxyReads(t *testing.T) {
	got := mapped(t, elena(), names)
	if !slices.Equal(got.Meta.Profile, []string{"https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"}) {
		t.Errorf("profile %v", got.Meta.Profile)
	}
	if got.Type.Code != "rest" || got.Subtype[0].Code != "read" || got.Action != "R" || got.Source.Type[0].Code != "4" {
		t.Errorf("%+v", got)
	}
	if len(got.Agent) != 4 {
		t.Fatalf("agents: %+v", got.Agent)
	}
	app, user, patient, server := got.Agent[0], got.Agent[1], got.Agent[2], got.Agent[3]
	if app.code() != "110152" || app.Who.Identifier.Value != "meds-companion" || app.Network.Address != "203.0.113.24" || *app.Requestor {
		t.Errorf("app: %+v", app)
	}
	if user.code() != "IRCP" || !*user.Requestor || user.Who.Reference != "RelatedPerson/rosa-elena" || user.Network != nil ||
		user.Who.Identifier.System != names.Issuer || user.Who.Identifier.Value != "p-elena" || user.PurposeOfUse[0].Coding[0].Code != "FAMRQT" {
		t.Errorf("user: %+v", user)
	}
	if len(user.Role) != 2 || user.Role[0].Coding[0].Code != "DELEGATEE" || user.Role[1].Coding[0].Code != "DAUC" {
		t.Errorf("roles: %+v", user.Role)
	}
	if !slices.Equal(user.Policy, []string{"urn:ietf:params:oauth:jti:01JCF3N7Q2", "https://id.example.org/fhir/Consent/e1/_history/1"}) {
		t.Errorf("policy: %v", user.Policy)
	}
	if *patient.Requestor || patient.Who.Reference != "Patient/rosa" || patient.Role[0].Coding[0].Code != "DELEGATOR" {
		t.Errorf("delegator: %+v", patient)
	}
	if server.code() != "110153" || server.Who != got.Source.Observer || server.Network.Type != "1" {
		t.Errorf("server: %+v", server)
	}
	var seen []string
	for _, en := range got.Entity {
		seen = append(seen, en.Type.Code+" "+en.What.Reference+en.What.Identifier.Value)
	}
	want := []string{"1 Patient/rosa", "2 MedicationRequest/mr-88/_history/3", "Consent Consent/e1/_history/1",
		"UserOauthAgent urn:ietf:params:oauth:jti:01JCF3N7Q2", "XrequestId req-7", "grant g-1", "facts "}
	if !slices.Equal(seen, want) {
		t.Errorf("entities:\n%v\n%v", seen, want)
	}
}

// AU-08: a search has its query, not its results; the roles flip.
func TestASearchHasAQueryAndNoResults(t *testing.T) {
	e := elena()
	e.Kind, e.Action, e.Resource, e.ResourceVersion = audit.FHIRSearch, "E", fhir.Reference{Type: "Observation"}, ""
	e.Query, e.Delivered, e.Count = "Observation?category=laboratory", []string{"Observation/secret-1"}, 1
	raw, err := fhirevent.Map(e, names)
	if err != nil || bytes.Contains(raw, []byte("secret-1")) {
		t.Errorf("%v: %s", err, raw)
	}
	got := mapped(t, e, names)
	if !strings.HasSuffix(got.Meta.Profile[0], "BasicAudit.PatientQuery") || got.Agent[0].code() != "110153" || got.Agent[3].code() != "110152" {
		t.Errorf("%+v", got)
	}
	objects := 0
	for _, en := range got.Entity {
		if en.Type.Code == "2" {
			objects++
			query, err := base64.StdEncoding.DecodeString(en.Query)
			if err != nil || string(query) != e.Query || en.Role.Code != "24" || en.Detail != nil || en.What.Reference != "" {
				t.Errorf("%+v", en)
			}
		}
	}
	if objects != 1 {
		t.Errorf("%d system objects; the pattern allows one", objects)
	}
}

// AU-09, AU-16: who changes something is its author.
func TestChanges(t *testing.T) {
	for _, c := range []struct {
		kind                                      audit.Kind
		action, profile, interaction, app, server string
	}{
		{audit.FHIRWrite, "C", "PatientCreate", "create", "110153", "110152"},
		{audit.FHIRWrite, "U", "PatientUpdate", "update", "110153", "110152"},
		{audit.FHIRWrite, "D", "PatientDelete", "delete", "110150", "custodian"},
		{audit.ConsentFiled, "C", "PatientCreate", "create", "110153", "110152"},
		{audit.ConsentWithdrawn, "E", "PatientUpdate", "update", "110153", "110152"},
		{audit.RelatedPersonSaved, "U", "PatientUpdate", "update", "110153", "110152"},
	} {
		e := elena()
		e.Kind, e.Action = c.kind, c.action
		got := mapped(t, e, names)
		if len(got.Meta.Profile) != 1 || !strings.HasSuffix(got.Meta.Profile[0], "."+c.profile) || got.Subtype[0].Code != c.interaction ||
			got.Agent[0].code() != c.app || got.Agent[3].code() != c.server || got.Agent[1].code() != "AUT" {
			t.Errorf("%s %s: %+v", c.kind, c.action, got)
		}
		if c.interaction == "delete" && got.Agent[1].Policy != nil {
			t.Error("the delete pattern allows no policy")
		}
	}
}

// AU-01 … AU-03: only a decision by consent claims to be one.
func TestDecisions(t *testing.T) {
	permit := elena()
	permit.Kind, permit.Action = audit.DecisionPermit, "E"
	got := mapped(t, permit, names)
	if len(got.Meta.Profile) != 1 || !strings.HasSuffix(got.Meta.Profile[0], ".AuthZconsent") || got.Subtype[0].Code != "AuthZ-Consent" {
		t.Errorf("%+v", got)
	}
	for _, en := range got.Entity {
		if !slices.Contains([]string{"1", "Consent", "UserOauthAgent"}, en.Type.Code) {
			t.Errorf("AuthZconsent allows no %s", en.Type.Code)
		}
	}
	var types []string
	for _, a := range got.Agent {
		types = append(types, a.code())
	}
	if !slices.Equal(types, []string{"110150", "IRCP", "", "PROV", "authserver"}) {
		t.Errorf("agents %v", types)
	}

	deny := permit
	deny.Kind, deny.Outcome, deny.Reason, deny.Consents = audit.DecisionDeny, audit.SeriousFailure, "no-consent", nil
	got = mapped(t, deny, names)
	if got.Meta.Profile != nil || got.Subtype[0].Code != "AuthZ-Consent" || got.OutcomeDesc != "no-consent" {
		t.Errorf("AU-02: %+v", got)
	}
	clinician := deny
	clinician.Capacity = fhir.Capacity{Kind: fhir.CapacityPractitioner, Acting: fhir.Reference{Type: "Practitioner", ID: "osei"}, Purpose: "TREAT"}
	if got = mapped(t, clinician, names); got.Subtype[0].Code != "AuthZ-Role" || len(got.Agent) != 4 {
		t.Errorf("AU-03: %+v", got)
	}
}

// AR-10: a profile is claimed only when all it asks for is there.
func TestNoEmptyClaims(t *testing.T) {
	for name, spoil := range map[string]func(*audit.Event, *fhirevent.Names){
		"no app":           func(e *audit.Event, _ *fhirevent.Names) { e.ClientID = "" },
		"no address":       func(e *audit.Event, _ *fhirevent.Names) { e.Network = "" },
		"no IP address":    func(e *audit.Event, _ *fhirevent.Names) { e.Network = "unknown" },
		"not successful":   func(e *audit.Event, _ *fhirevent.Names) { e.Outcome = audit.MinorFailure },
		"no resource":      func(e *audit.Event, _ *fhirevent.Names) { e.Resource = fhir.Reference{Type: "Patient"} },
		"no server name":   func(_ *audit.Event, n *fhirevent.Names) { n.Site = "" },
		"decision, no org": func(e *audit.Event, n *fhirevent.Names) { e.Kind, n.Custodian = audit.DecisionPermit, fhir.Reference{} },
		"decision, no user": func(e *audit.Event, _ *fhirevent.Names) {
			e.Kind, e.PersonID, e.Capacity = audit.DecisionPermit, "", fhir.Capacity{}
		},
		"decision, bad ref": func(e *audit.Event, _ *fhirevent.Names) {
			e.Kind, e.Consents = audit.DecisionPermit, []string{"https://x/Consent/1"}
		},
		"refusal": func(e *audit.Event, _ *fhirevent.Names) { e.Kind, e.Outcome = audit.FHIRRefused, audit.SeriousFailure },
	} {
		e, n := elena(), names
		spoil(&e, &n)
		if got := mapped(t, e, n); got.Meta.Profile != nil {
			t.Errorf("%s: claims %v", name, got.Meta.Profile)
		}
	}
	e := elena()
	e.Patient = ""
	if got := mapped(t, e, names); !strings.HasSuffix(got.Meta.Profile[0], "BasicAudit.Read") {
		t.Errorf("without a patient: %v", got.Meta.Profile)
	}
}

// AU-06: a log-in names the account and the address; a name that belongs to
// nobody only by its hash.
func TestLogIns(t *testing.T) {
	e := audit.Event{Time: elena().Time, Kind: audit.StepUpSucceeded, Action: "E", Outcome: audit.Success, PersonID: "p-elena", Network: "203.0.113.24",
		Detail: map[string]string{"amr": "pwd otp"}}
	got := mapped(t, e, names)
	if got.Type.Code != "110114" || got.Subtype[0].Code != "110122" || got.Subtype[1] != (coding{fhirevent.SystemSubtype, "step-up"}) {
		t.Errorf("%+v", got)
	}
	if got.Agent[0].Who.Identifier.Value != "p-elena" || got.Agent[0].Network.Address != "203.0.113.24" || got.Agent[1].code() != "authserver" {
		t.Errorf("%+v", got.Agent)
	}
	if d := got.Entity[0].Detail; len(d) != 1 || d[0].Type != "amr" || d[0].ValueString != "pwd otp" {
		t.Errorf("%+v", got.Entity)
	}
	e = audit.Event{Time: e.Time, Kind: audit.LoginFailed, Action: "E", Outcome: audit.MinorFailure, Reason: "account-unknown", Detail: map[string]string{"username_hash": "abc123"}}
	got = mapped(t, e, names)
	if id := got.Agent[0].Who.Identifier; id.System != fhirevent.SystemTypedName || id.Value != "abc123" || got.Entity != nil {
		t.Errorf("%+v", got)
	}
}

// AU-04, AU-05.
func TestTokens(t *testing.T) {
	e := elena()
	e.Kind, e.Action = audit.TokenIssued, "E"
	if got := mapped(t, e, names); got.Subtype[0] != (coding{"urn:ihe:event-type-code", "ITI-71"}) || got.Meta.Profile != nil {
		t.Errorf("%+v", got)
	}
	e.Kind = audit.TokenIntrospected
	if got := mapped(t, e, names); got.Subtype[0].Code != "oauth-introspect" {
		t.Errorf("%+v", got.Subtype)
	}
	e.Outcome = audit.MinorFailure
	if got := mapped(t, e, names); got.Subtype[0].Code != "oauth-introspect-inactive" {
		t.Errorf("%+v", got.Subtype)
	}
}
