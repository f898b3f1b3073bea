package access_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const obsCategory = "http://terminology.hl7.org/CodeSystem/observation-category"

func set(t testing.TB, text string) scope.Request {
	t.Helper()
	req, err := scope.Parse(text, scope.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return req
}

var (
	selfRosa = fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa", Purpose: "PATRQT"}
	elena    = fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Acting: fhir.Reference{Type: "RelatedPerson", ID: "rosa-elena"}, Patient: "rosa", Purpose: "FAMRQT"}
	chen     = fhir.Capacity{Kind: fhir.CapacityPractitioner, Acting: fhir.Reference{Type: "Practitioner", ID: "chen"}, Purpose: "TREAT"}
	backend  = fhir.Capacity{Kind: fhir.CapacitySystem}
)

// input is the standing of somebody with these scopes.
func input(t testing.TB, c fhir.Capacity, scopes string, topics ...string) access.Input {
	t.Helper()
	req := set(t, scopes)
	return access.Input{
		Grant: access.GrantView{ID: "g", ClientID: "app", Capacity: c, Patient: c.Patient, Scopes: req.Clinical, OpenID: req.OpenID && req.FHIRUser, Topics: topics},
		Now:   now,
	}
}

func labelled(res fhir.Resource, codes ...string) fhir.Resource {
	for _, c := range codes {
		system := fhir.SystemActCode
		if len(c) == 1 {
			system = fhir.SystemConfidentiality
		}
		res.Labels = append(res.Labels, fhir.Coding{System: system, Code: c})
	}
	return res
}

func observation(patient, category string) fhir.Resource {
	return fhir.Resource{Type: "Observation", ID: "o", Subjects: []string{patient}, Tokens: map[string][]fhir.Coding{"category": {{System: obsCategory, Code: category}}}}
}

func request(t testing.TB, method, path string) *rest.Request {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	var body []byte
	header := http.Header{}
	if method == "POST" || method == "PUT" {
		typ, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		body = []byte(`{"resourceType":"` + typ + `","id":"` + id + `"}`)
		if id == "" {
			body = []byte(`{"resourceType":"` + typ + `"}`)
		}
		header.Set("Content-Type", "application/fhir+json")
	}
	if method == "PATCH" {
		body = []byte(`[{"op":"remove","path":"/x"}]`)
		header.Set("Content-Type", "application/json-patch+json")
	}
	r, err := rest.Parse(rest.Incoming{Method: method, Path: path, RawQuery: query, Header: header, Body: body})
	if err != nil {
		t.Fatal(method, path, err)
	}
	return &r
}

// SMART M-01…M-22, US-13: what each interaction needs.
func TestRequests(t *testing.T) {
	for _, c := range []struct{ capacity, scopes, method, path, code string }{
		{"self", "patient/Observation.r", "GET", "/Observation/x", ""},
		{"self", "patient/Observation.s", "GET", "/Observation/x", "no-scope"},
		{"self", "patient/Observation.r", "GET", "/Observation/x/_history", ""},
		{"self", "patient/Observation.r", "GET", "/Observation/x/_history/1", ""},
		{"self", "patient/Observation.r", "GET", "/Observation?code=x", "no-scope"},
		{"self", "patient/Observation.s", "GET", "/Observation?code=x", ""},
		{"self", "patient/Observation.s", "POST", "/Observation", "no-scope"},
		{"self", "patient/Observation.c", "POST", "/Observation", ""},
		{"self", "patient/Observation.u", "PUT", "/Observation/x", ""},
		{"self", "patient/Observation.c", "PUT", "/Observation/x", "no-scope"},
		{"self", "patient/Observation.u", "PATCH", "/Observation/x", ""},
		{"self", "patient/Observation.d", "DELETE", "/Observation/x", ""},
		{"self", "patient/Observation.cru", "DELETE", "/Observation/x", "no-scope"},
		{"self", "patient/Observation.us", "PUT", "/Observation?code=x", "no-scope"},
		{"self", "patient/Observation.cus", "PUT", "/Observation?code=x", ""},
		{"self", "patient/Observation.us", "PATCH", "/Observation?code=x", ""},
		{"self", "patient/Observation.u", "PATCH", "/Observation?code=x", "no-scope"},
		{"self", "patient/Observation.d", "DELETE", "/Observation?code=x", "no-scope"},
		{"self", "patient/Observation.ds", "DELETE", "/Observation?code=x", ""},
		{"self", "patient/*.rs", "GET", "/Condition/x", ""},
		{"self", "patient/Observation.rs", "GET", "/Condition/x", "no-scope"},
		{"self", "user/Observation.rs", "GET", "/Observation?code=x", ""},
		{"self", "system/Observation.rs", "GET", "/Observation?code=x", "no-scope"},
		{"self", "patient/Observation.s", "GET", "/Patient/rosa/Observation", ""},
		{"self", "patient/Observation.s", "GET", "/Patient/ines/Observation", "outside-compartment"},
		{"self", "patient/Observation.s", "GET", "/Patient/rosa/Condition", "no-scope"},
		{"self", "patient/Observation.s", "GET", "/Patient/rosa/*", ""},
		{"self", "patient/Observation.r", "GET", "/Patient/rosa/*", "no-scope"},
		{"self", "patient/*.rs", "GET", "/Practitioner/x/Observation", "interaction-not-offered"},
		{"self", "patient/*.rs", "GET", "/Patient/rosa/$everything", ""},
		{"self", "patient/*.rs", "GET", "/Patient/ines/$everything", "outside-compartment"},
		{"self", "patient/Observation.rs", "GET", "/Patient/rosa/$everything", "no-scope"},
		{"self", "patient/*.rs", "GET", "/Patient/rosa/$unknown", "operation-not-offered"},
		{"self", "patient/*.rs", "GET", "/Patient/$everything", "operation-not-offered"},
		{"self", "patient/*.rs", "GET", "/$export", "operation-not-offered"},
		{"self", "patient/*.rs", "GET", "/Observation/_history", "interaction-not-offered"},
		{"self", "patient/*.rs", "GET", "/_history", "interaction-not-offered"},
		{"self", "patient/*.rs", "GET", "?_type=Observation", "interaction-not-offered"},
		{"self", "", "GET", "/metadata", ""},
		{"self", "patient/*.rs", "GET", "/Patient?_has:Condition:patient:code=x", "parameter-not-allowed"},
		{"self", "patient/*.rs", "GET", "/Observation?patient.name=x", "parameter-not-allowed"},
		{"self", "patient/*.rs", "GET", "/Observation?_security=x", ""},
		{"self", "patient/*.rs", "GET", "/Observation?code:in=x", ""},
		{"self", "patient/DocumentReference.r", "GET", "/Binary/x", ""},
		{"self", "patient/Observation.r", "GET", "/Binary/x", "no-scope"},
		{"self", "openid fhirUser", "GET", "/Patient/rosa", ""},
		{"self", "openid fhirUser", "GET", "/Patient/ines", "no-scope"},
		{"self", "openid fhirUser", "DELETE", "/Patient/rosa", "no-scope"},
		{"self", "openid", "GET", "/Patient/rosa", "no-scope"},
		{"chen", "user/*.rs", "GET", "/Patient/ines/Observation", ""},
		{"chen", "user/*.rs", "GET", "/Patient/ines/$everything", ""},
		{"chen", "patient/*.rs", "GET", "/Observation/x", "no-scope"},
		{"system", "system/*.rs", "GET", "/$export", ""},
		{"system", "system/*.rs", "GET", "/Patient/$export", ""},
		{"system", "system/*.rs", "GET", "/Group/x/$export", ""},
		{"system", "system/*.rs", "GET", "/Group/$export", "operation-not-offered"},
		{"system", "system/Observation.rs", "GET", "/Group/x/$export", "no-scope"},
		{"system", "system/Observation.rs", "GET", "/$export?_type=Observation,Patient", "no-scope"},
		{"system", "system/Observation.r", "GET", "/$export", "no-scope"},
		{"system", "system/Observation.rs", "GET", "/Observation/_history", ""},
		{"system", "user/Observation.rs", "GET", "/Observation", "no-scope"},
		{"system", "system/*.rs", "GET", "/_history", "interaction-not-offered"},
	} {
		capacity := map[string]fhir.Capacity{"self": selfRosa, "chen": chen, "system": backend}[c.capacity]
		in := input(t, capacity, c.scopes)
		in.Request = request(t, c.method, c.path)
		d := access.Decide(in)
		got := ""
		if !d.Allow {
			got = d.Reasons[0].Code
		}
		if got != c.code {
			t.Errorf("%s %s %s %s: %q, want %q", c.capacity, c.scopes, c.method, c.path, got, c.code)
		}
		if d.Hidden != (c.code == "outside-compartment") {
			t.Errorf("%s: hidden %v", c.path, d.Hidden)
		}
	}
}

// SMART SCP-06, SCP-31, TRP-18, TRP-23, CMP-10, CMP-11; LB-17; FX-20, FX-21.
func TestResources(t *testing.T) {
	lab, vital := observation("rosa", "laboratory"), observation("rosa", "vital-signs")
	foreign := lab
	foreign.ForeignSubject = true
	two := lab
	two.Subjects = []string{"rosa", "ines"}
	nobody := lab
	nobody.Subjects = nil
	container := labelled(lab, "N")
	container.Contained = []fhir.Resource{{Type: "Medication", Contained: []fhir.Resource{labelled(fhir.Resource{Type: "Substance"}, "HIV")}}}
	practitioner := fhir.Resource{Type: "Practitioner", ID: "x"}
	onlyLab := "patient/Observation.rs?category=" + obsCategory + "|laboratory"
	for name, c := range map[string]struct {
		capacity fhir.Capacity
		scopes   string
		topics   []string
		op       scope.Ops
		res      fhir.Resource
		code     string
	}{
		"own":                        {selfRosa, "patient/Observation.rs", nil, scope.Read, lab, ""},
		"another's":                  {selfRosa, "patient/Observation.rs", nil, scope.Read, observation("ines", "laboratory"), "outside-compartment"},
		"foreign":                    {selfRosa, "patient/Observation.rs", nil, scope.Read, foreign, "outside-compartment"},
		"of two patients":            {selfRosa, "patient/Observation.rs", nil, scope.Read, two, "outside-compartment"},
		"of nobody":                  {selfRosa, "patient/Observation.rs", nil, scope.Read, nobody, "outside-compartment"},
		"user level is bound too":    {selfRosa, "user/Observation.rs", nil, scope.Read, observation("ines", "laboratory"), "outside-compartment"},
		"a clinician is not":         {chen, "user/Observation.rs", nil, scope.Read, observation("ines", "laboratory"), ""},
		"system is not":              {backend, "system/Observation.rs", nil, scope.Read, two, ""},
		"inside the filter":          {selfRosa, onlyLab, nil, scope.Search, lab, ""},
		"outside the filter":         {selfRosa, onlyLab, nil, scope.Search, vital, "outside-scope"},
		"another letter":             {selfRosa, "patient/Observation.r", nil, scope.Search, lab, "outside-scope"},
		"union":                      {selfRosa, onlyLab + " patient/Observation.rs?category=" + obsCategory + "|vital-signs", nil, scope.Read, vital, ""},
		"directory":                  {selfRosa, "patient/Practitioner.rs", nil, scope.Read, practitioner, ""},
		"bundle of anybody":          {selfRosa, "patient/*.rs", nil, scope.Read, fhir.Resource{Type: "Bundle", ID: "x"}, "outside-compartment"},
		"linkage of anybody":         {selfRosa, "patient/*.rs", nil, scope.Read, fhir.Resource{Type: "Linkage", ID: "x"}, "outside-compartment"},
		"bundle for a clinician":     {chen, "user/*.rs", nil, scope.Read, fhir.Resource{Type: "Bundle", ID: "x"}, ""},
		"timetable of a clinician":   {selfRosa, "patient/Schedule.rs", nil, scope.Search, fhir.Resource{Type: "Schedule", ID: "x"}, ""},
		"timetable of a patient":     {selfRosa, "patient/Schedule.rs", nil, scope.Search, fhir.Resource{Type: "Schedule", ID: "x", Subjects: []string{"ines"}}, "outside-compartment"},
		"directory is not written":   {selfRosa, "patient/Practitioner.cruds", nil, scope.Update, practitioner, "outside-compartment"},
		"a clinician may write it":   {chen, "user/Practitioner.cruds", nil, scope.Update, practitioner, ""},
		"topic not ticked":           {selfRosa, "patient/Observation.rs", nil, scope.Read, labelled(lab, "R", "HIV"), "topic-not-shared"},
		"topic ticked":               {selfRosa, "patient/Observation.rs", []string{"HIV"}, scope.Read, labelled(lab, "R", "HIV"), ""},
		"one of two ticked":          {selfRosa, "patient/Observation.rs", []string{"HIV"}, scope.Read, labelled(lab, "HIV", "ETH"), "topic-not-shared"},
		"restricted":                 {selfRosa, "patient/Observation.rs", []string{"HIV"}, scope.Read, labelled(lab, "R"), "topic-not-shared"},
		"own consent":                {selfRosa, "patient/Consent.rs", nil, scope.Read, labelled(fhir.Resource{Type: "Consent", ID: "c", Subjects: []string{"rosa"}}, "R"), ""},
		"own consent on a topic":     {selfRosa, "patient/Consent.rs", nil, scope.Read, labelled(fhir.Resource{Type: "Consent", ID: "c", Subjects: []string{"rosa"}}, "R", "HIV"), "topic-not-shared"},
		"unknown label":              {selfRosa, "patient/Observation.rs", []string{"HIV"}, scope.Read, labelled(lab, "XYZZY"), "topic-not-shared"},
		"handling label":             {selfRosa, "patient/Observation.rs", nil, scope.Read, labelled(lab, "N", "NORDSCLCD"), ""},
		"label inside":               {selfRosa, "patient/Observation.rs", nil, scope.Read, container, "topic-not-shared"},
		"psychotherapy notes":        {selfRosa, "patient/Observation.rs", []string{"R", "MH"}, scope.Read, labelled(lab, "PSYTHPN"), "psychotherapy-notes"},
		"not before the talk":        {selfRosa, "patient/Observation.rs", []string{"R"}, scope.Read, labelled(lab, "NOPAT"), "NOPAT"},
		"a clinician before it":      {chen, "user/Observation.rs", nil, scope.Read, labelled(lab, "NOPAT"), ""},
		"part 2 for a clinician":     {chen, "user/Observation.rs", nil, scope.Read, labelled(lab, "42CFRPart2"), "part-2"},
		"part 2 for the patient":     {selfRosa, "patient/Observation.rs", []string{"SUD"}, scope.Read, labelled(lab, "42CFRPart2"), ""},
		"own identity":               {selfRosa, "openid fhirUser", nil, scope.Read, fhir.Resource{Type: "Patient", ID: "rosa", Subjects: []string{"rosa"}}, ""},
		"own identity, not searched": {selfRosa, "openid fhirUser", nil, scope.Search, fhir.Resource{Type: "Patient", ID: "rosa", Subjects: []string{"rosa"}}, "outside-scope"},
	} {
		in := input(t, c.capacity, c.scopes, c.topics...)
		in.Resource, in.Op = &c.res, c.op
		d := access.Decide(in)
		got := ""
		if !d.Allow {
			got = d.Reasons[0].Code
		}
		if got != c.code || d.Hidden != (c.code != "") {
			t.Errorf("%s: %q hidden %v, want %q", name, got, d.Hidden, c.code)
		}
	}
}

// What is neither a request nor a resource, or both, is refused.
func TestNothingToJudge(t *testing.T) {
	in := input(t, backend, "system/*.cruds")
	if access.Decide(in).Allow {
		t.Error("nothing was allowed")
	}
	res := observation("rosa", "laboratory")
	in.Resource, in.Op, in.Request = &res, scope.Read, request(t, "GET", "/Observation/o")
	if access.Decide(in).Allow {
		t.Error("two things were allowed")
	}
	in.Request, in.Grant.Ends = nil, now
	if d := access.Decide(in); d.Allow || d.Reasons[0].Code != "grant-ended" {
		t.Errorf("%+v", d)
	}
}

// GW-02, TRP-18: what the upstream is narrowed to.
func TestRewrite(t *testing.T) {
	lab, vital := "patient/Observation.rs?category="+obsCategory+"|laboratory", "patient/Observation.rs?category="+obsCategory+"|vital-signs"
	for _, c := range []struct {
		capacity           fhir.Capacity
		scopes, path, want string
	}{
		{selfRosa, "patient/Observation.rs", "/Observation", "patient=Patient/rosa"},
		{selfRosa, "patient/Patient.rs", "/Patient", "_id=rosa"},
		{selfRosa, "patient/Practitioner.rs", "/Practitioner", ""},
		{selfRosa, "patient/Provenance.rs", "/Provenance", ""},
		{selfRosa, "patient/Schedule.rs", "/Schedule", ""},
		{selfRosa, lab, "/Observation", "patient=Patient/rosa&category=" + obsCategory + "|laboratory"},
		{selfRosa, lab + " " + vital, "/Observation", "patient=Patient/rosa&category=" + obsCategory + "|laboratory," + obsCategory + "|vital-signs"},
		{selfRosa, lab + " patient/Observation.rs?status=final", "/Observation", "patient=Patient/rosa"},
		{selfRosa, lab + " patient/Observation.rs", "/Observation", "patient=Patient/rosa"},
		{chen, "user/Observation.rs", "/Observation", ""},
		{backend, "system/Observation.rs system/Patient.rs", "/$export", "_type=Observation,Patient"},
		{backend, "system/*.rs", "/$export", ""},
		{backend, "system/Observation.rs system/Patient.rs", "/$export?_type=Patient", ""},
	} {
		in := input(t, c.capacity, c.scopes)
		in.Request = request(t, "GET", c.path)
		d := access.Decide(in)
		var parts []string
		for _, n := range d.Rewrite {
			for _, p := range n {
				parts = append(parts, p.Name+"="+strings.Join(p.Values, ","))
			}
		}
		if got := strings.Join(parts, "&"); !d.Allow || !d.Filter || got != c.want {
			t.Errorf("%s %s: %v %q, want %q", c.scopes, c.path, d.Allow, got, c.want)
		}
	}
	// A clinician with a patient in context and scopes of both levels is not
	// narrowed to that patient (SCP-16).
	in := input(t, chen, "patient/Observation.rs user/Observation.rs")
	in.Grant.Patient = "rosa"
	in.Request = request(t, "GET", "/Observation")
	if d := access.Decide(in); len(d.Rewrite) != 0 {
		t.Errorf("%+v", d.Rewrite)
	}
}

// EV-01: the gates before a proxy's consents; SC-04, RP-10: the types that no
// proxy reaches; GW-06: the parameters that a proxy may not use.
func TestProxyGates(t *testing.T) {
	grant := consentE1(t)
	good := input(t, elena, "openid fhirUser patient/MedicationRequest.rs patient/Provenance.rs")
	good.Policy, good.ProxyInForce = grant, true
	mr := labelled(fhir.Resource{Type: "MedicationRequest", ID: "m", Subjects: []string{"rosa"}}, "N")
	for name, c := range map[string]struct {
		change func(*access.Input)
		code   string
	}{
		"good":            {func(*access.Input) {}, ""},
		"relation ended":  {func(in *access.Input) { in.ProxyInForce = false }, "relation-not-in-force"},
		"safety hold":     {func(in *access.Input) { in.SafetyHold = true }, "safety-hold"},
		"no policy":       {func(in *access.Input) { in.Policy = nil }, "consents-unknown"},
		"no consent":      {func(in *access.Input) { in.Policy = consent.Compile("rosa", 1, nil, consent.Options{}) }, "NO_GRANT"},
		"another patient": {func(in *access.Input) { in.Policy = consent.Compile("ines", 1, nil, consent.Options{}) }, "PATIENT_MISMATCH"},
		"consent ended":   {func(in *access.Input) { in.Now = now.AddDate(2, 0, 0) }, "NO_GRANT"},
		"unlabelled":      {func(in *access.Input) { r := mr; r.Labels = nil; in.Resource = &r }, "UNCLASSIFIED"},
		"above normal":    {func(in *access.Input) { r := labelled(mr, "R"); in.Resource = &r }, "NO_GRANT"},
		"a type outside": {func(in *access.Input) {
			r := labelled(observation("rosa", "laboratory"), "N")
			in.Resource = &r
		}, "outside-scope"},
		"provenance": {func(in *access.Input) {
			r := labelled(fhir.Resource{Type: "Provenance", Subjects: []string{"rosa"}}, "N")
			in.Resource = &r
		}, "type-never-for-proxies"},
		"itself": {func(in *access.Input) {
			r := fhir.Resource{Type: "RelatedPerson", ID: "rosa-elena", Subjects: []string{"rosa"}}
			in.Resource = &r
		}, ""},
		"another proxy": {func(in *access.Input) {
			r := fhir.Resource{Type: "RelatedPerson", ID: "rosa-victor", Subjects: []string{"rosa"}}
			in.Resource = &r
		}, "type-never-for-proxies"},
	} {
		in := good
		in.Resource, in.Op = &mr, scope.Read
		c.change(&in)
		d := access.Decide(in)
		got := ""
		if !d.Allow {
			got = d.Reasons[0].Code
		}
		if got != c.code {
			t.Errorf("%s: %q, want %q", name, got, c.code)
		}
	}
	in := good
	in.Resource, in.Op = &mr, scope.Read
	if d := access.Decide(in); len(d.Consents) != 1 || d.ValidUntil.IsZero() || !slices.Contains(d.Obligations, access.StripLabels) {
		t.Errorf("%+v", d)
	}
	for name, c := range map[string]struct{ scopes, path, code string }{
		"still permitted": {"patient/MedicationRequest.rs", "/MedicationRequest", ""},
		"narrowed since":  {"patient/Observation.rs", "/Observation", "no-scope"},
		"a letter less":   {"patient/MedicationRequest.cruds", "/MedicationRequest/x", "no-scope"},
	} {
		in := input(t, elena, c.scopes)
		in.Policy, in.ProxyInForce = grant, true
		method := "GET"
		if c.path == "/MedicationRequest/x" {
			method = "DELETE"
		}
		in.Request = request(t, method, c.path)
		if d := access.Decide(in); d.Allow != (c.code == "") || c.code != "" && d.Reasons[0].Code != c.code {
			t.Errorf("%s: %+v", name, d)
		}
		in.Policy = consent.Compile("rosa", 2, nil, consent.Options{})
		if d := access.Decide(in); d.Allow || d.Reasons[0].Code != "consents-ended" {
			t.Errorf("%s, then withdrawn: %+v", name, d)
		}
	}
	for _, path := range []string{"/MedicationRequest?_security=x", "/MedicationRequest?code:in=x", "/MedicationRequest?code:not-in=x", "/MedicationRequest?code:above=x", "/Patient/rosa/$everything"} {
		in := good
		in.Request = request(t, "GET", path)
		if access.Decide(in).Allow {
			t.Errorf("%s is allowed to a proxy", path)
		}
	}
}

// Every type of R4 is about a patient, in the directory, or out of reach.
func TestTypesOutOfReach(t *testing.T) {
	var out []string
	for _, typ := range compartment.Types() {
		in := input(t, selfRosa, "patient/*.rs")
		in.Resource, in.Op = &fhir.Resource{Type: typ, ID: "x"}, scope.Read
		if access.Decide(in).Allow && (compartment.Member(typ) || len(compartment.AboutParams(typ)) > 0) && typ != "Schedule" {
			t.Errorf("%s is about patients and leaves without one", typ)
		}
		if !access.Decide(in).Allow && !compartment.Member(typ) && len(compartment.AboutParams(typ)) == 0 {
			out = append(out, typ)
		}
	}
	const want = "Binary BiologicallyDerivedProduct Bundle DeviceMetric EnrollmentResponse Linkage MessageHeader OperationOutcome PaymentNotice PaymentReconciliation Subscription TestReport VerificationResult"
	if got := strings.Join(out, " "); got != want {
		t.Errorf("out of reach: %s", got)
	}
}
