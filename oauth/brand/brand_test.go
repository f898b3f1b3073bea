package brand

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
)

const base = "https://records.lakeside.example/fhir"

func simple() Simple {
	return Simple{
		Name: "Lakeside", Website: "https://www.lakeside.example/about", Aliases: []string{"The Lake"}, Categories: []string{"prov"},
		Logo: "https://www.lakeside.example/logo.svg", PortalName: "At home", PortalURL: "https://home.lakeside.example",
		PortalDescription: "For everybody.", Base: base, Developers: "https://developers.lakeside.example", PostalCodes: []string{"02111"},
	}
}

func made(t *testing.T) resource {
	t.Helper()
	raw, err := Make(simple())
	if err != nil {
		t.Fatal(err)
	}
	var out resource
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func drafted(t *testing.T, b resource) draft {
	t.Helper()
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	d, err := read(raw)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func at(b resource, i int) resource {
	return listOf(b["entry"])[i].(resource)["resource"].(resource)
}

// BRD-01, BRD-04, BRD-06: each fault of a bundle is named by its element.
func TestFaultsAreNamed(t *testing.T) {
	if faults := judge(drafted(t, made(t)), base); len(faults) > 0 {
		t.Fatal(faults)
	}
	const org, end = "Bundle.entry[0].resource", "Bundle.entry[1].resource"
	for want, spoil := range map[string]func(b, o, e resource){
		"Bundle.type":                   func(b, _, _ resource) { b["type"] = "searchset" },
		org:                             func(_, o, _ resource) { o["resourceType"] = "Location" },
		org + ".id":                     func(_, o, _ resource) { delete(o, "id") },
		org + ".name":                   func(_, o, _ resource) { delete(o, "name") },
		org + ".telecom":                func(_, o, _ resource) { delete(o, "telecom") },
		org + ".telecom[0].value":       func(_, o, _ resource) { listOf(o["telecom"])[0].(resource)["value"] = "http://plain.example" },
		org + ".identifier":             func(_, o, _ resource) { delete(o, "identifier") },
		org + ".identifier[0].value":    func(_, o, _ resource) { listOf(o["identifier"])[0].(resource)["value"] = "" },
		org + ".type[0].coding[0].code": func(_, o, _ resource) { coding(o)["code"] = "castle" },
		org + ".extension[0].extension[0].valueUrl": func(_, o, _ resource) { part(o, 0, 0)["valueUrl"] = "javascript:alert(1)" },
		org + ".extension[1].extension[0].valueReference.reference": func(_, o, _ resource) {
			part(o, 1, 0)["valueReference"] = resource{"reference": "Endpoint/nowhere"}
		},
		org + ".endpoint[0].reference": func(_, o, _ resource) { o["endpoint"] = []any{resource{"reference": "Organization/brand"}} },
		org + ".partOf":                func(_, o, _ resource) { o["partOf"] = resource{"reference": "Organization/brand"} },
		org + ".partOf.reference":      func(_, o, _ resource) { o["partOf"] = resource{"reference": "Organization/nobody"} },
		org + "._name.extension[0].valueCode": func(_, o, _ resource) {
			o["_name"] = resource{"extension": []any{resource{"url": extAbsent, "valueCode": "masked"}}}
		},
		end:                       func(_, o, _ resource) { delete(o, "endpoint"); o["extension"] = nil },
		end + ".connectionType":   func(_, _, e resource) { e["connectionType"] = resource{"code": "hl7v2-mllp"} },
		end + ".extension":        func(_, _, e resource) { delete(e, "extension") },
		end + ".contact":          func(_, _, e resource) { delete(e, "contact") },
		end + ".contact[0].value": func(_, _, e resource) { listOf(e["contact"])[0].(resource)["value"] = "http://plain.example" },
		end + ".address":          func(_, _, e resource) { e["address"] = "http://records.example/fhir" },
		"Bundle.entry":            func(_, _, e resource) { e["address"] = "https://other.example/fhir" },
	} {
		b := made(t)
		spoil(b, at(b, 0), at(b, 1))
		faults := judge(drafted(t, b), base)
		if !slices.ContainsFunc(faults, func(f Fault) bool { return f.Path == want }) {
			t.Errorf("%s is not named: %v", want, faults)
		}
	}
}

func coding(o resource) resource {
	return listOf(listOf(o["type"])[0].(resource)["coding"])[0].(resource)
}

func part(o resource, i, j int) resource {
	return listOf(listOf(o["extension"])[i].(resource)["extension"])[j].(resource)
}

// BRD-06: that a website was asked for and not given may be said.
func TestADeclinedWebsite(t *testing.T) {
	b := made(t)
	at(b, 0)["telecom"] = []any{resource{"system": "url", "_value": resource{"extension": []any{resource{"url": extAbsent, "valueCode": "asked-declined"}}}}}
	if faults := judge(drafted(t, b), base); len(faults) > 0 {
		t.Error(faults)
	}
}

// BRD-04: among several brands the server's own is the topmost one above its
// endpoint, and two may not share an identifier.
func TestThePrimaryBrand(t *testing.T) {
	b := made(t)
	other := resource{
		"resourceType": "Organization", "id": "other", "name": "Lakeside Lab",
		"telecom":    []any{resource{"system": "url", "value": "https://lab.lakeside.example"}},
		"identifier": []any{resource{"system": systemURL, "value": "https://lab.lakeside.example"}},
		"partOf":     resource{"reference": "Organization/brand"}, "endpoint": []any{resource{"reference": "Endpoint/fhir-r4"}},
	}
	b["entry"] = append([]any{resource{"resource": other}}, listOf(b["entry"])...)
	d := drafted(t, b)
	if faults := judge(d, base); len(faults) > 0 {
		t.Fatal(faults)
	}
	if got := primary(d, base); got != (Identifier{systemURL, "https://lakeside.example"}) {
		t.Errorf("the primary brand is %v", got)
	}
	other["identifier"] = at(b, 1)["identifier"]
	if faults := judge(drafted(t, b), base); len(faults) != 1 || faults[0].Path != "Bundle.entry[1].resource.identifier[0]" {
		t.Error(faults)
	}
}

// shelf is a store of one tenant.
type shelf struct {
	now    Bundle
	events []audit.Event
}

func (s *shelf) BrandBundle(context.Context, string) (Bundle, error) {
	if s.now.Version == 0 {
		return Bundle{}, errs.New(errs.NotFound, "brand-not-found", "")
	}
	return s.now, nil
}

func (s *shelf) PutBrandBundle(_ context.Context, b Bundle, ifVersion int) error {
	if s.now.Version != ifVersion {
		return errChanged
	}
	s.now = b
	return nil
}

func (s *shelf) DeleteBrandBundle(context.Context, string, int) error {
	s.now = Bundle{}
	return nil
}

func (s *shelf) AppendAudit(_ context.Context, e audit.Event) error {
	s.events = append(s.events, e)
	return nil
}

type anything struct{ err error }

func (a anything) ValidateType([]byte, string) error { return a.err }

func service(s *shelf, now time.Time) *Service {
	run := txn.Func[Tx](func(_ context.Context, fn func(Tx) error) error { return fn(s) })
	return &Service{Tx: run, Validator: anything{}, Clock: clock.Fixed(now)}
}

func lastUpdated(t *testing.T, b Bundle, i int) string {
	t.Helper()
	d, err := read(b.JSON)
	if err != nil {
		t.Fatal(err)
	}
	meta, _ := d.entries[i].resource["meta"].(resource)
	return text(meta["lastUpdated"])
}

// BRD-02: times say when something last changed, whatever came along, and each
// change is recorded.
func TestTimesFollowChanges(t *testing.T) {
	ctx, s := t.Context(), &shelf{}
	first := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	b := made(t)
	publish := func(now time.Time, ifVersion int) (Bundle, error) {
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return service(s, now).Publish(ctx, Publication{Tenant: "acme", Base: base, IfVersion: ifVersion, Raw: raw, Origin: audit.Event{PersonID: "ops"}})
	}
	one, err := publish(first, 0)
	if err != nil || one.Version != 1 || lastUpdated(t, one, 0) != first.Format(time.RFC3339) {
		t.Fatal(one.Version, err)
	}
	// What came back from a reader, times and all, is no change.
	at(b, 0)["meta"] = resource{"lastUpdated": "2030-01-01T00:00:00Z"}
	b["timestamp"] = "2030-01-01T00:00:00Z"
	if same, err := publish(first.Add(time.Hour), 0); err != nil || same.Version != 1 || same.ETag() != one.ETag() {
		t.Error(same.Version, err)
	}
	at(b, 0)["alias"] = []any{"Shore"}
	two, err := publish(first.Add(2*time.Hour), 1)
	if err != nil || two.Version != 2 || !two.Updated.Equal(first.Add(2*time.Hour)) || two.ETag() == one.ETag() {
		t.Fatal(two.Version, err)
	}
	if lastUpdated(t, two, 0) == lastUpdated(t, one, 0) || lastUpdated(t, two, 1) != lastUpdated(t, one, 1) {
		t.Error("the times of the entries do not follow")
	}
	if _, err := publish(first.Add(3*time.Hour), 1); !errs.Is(err, errs.PreconditionFailed) {
		t.Error(err)
	}
	if err := service(s, first).Withdraw(ctx, "acme", 1, audit.Event{}); !errs.Is(err, errs.PreconditionFailed) {
		t.Error(err)
	}
	if err := service(s, first).Withdraw(ctx, "acme", 2, audit.Event{}); err != nil {
		t.Error(err)
	}
	if err := service(s, first).Withdraw(ctx, "acme", 0, audit.Event{}); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
	var acts []string
	for _, e := range s.events {
		acts = append(acts, string(e.Kind)+" "+e.Action+" "+e.Tenant)
	}
	if got := strings.Join(acts, ","); got != "brand.changed C acme,brand.changed U acme,brand.changed D acme" {
		t.Error(got)
	}
}

// What the validator or the rules refuse is not published.
func TestNothingWrongIsPublished(t *testing.T) {
	ctx, s := t.Context(), &shelf{}
	v := service(s, time.Now())
	bad := errs.New(errs.Invalid, "fhir-invalid", "")
	v.Validator = anything{bad}
	if _, err := v.Publish(ctx, Publication{Raw: []byte("{}")}); !errors.Is(err, bad) {
		t.Error(err)
	}
	v.Validator = anything{}
	_, err := v.Publish(ctx, Publication{Raw: []byte(`{"type":"collection"}`)})
	var faults *FaultError
	if !errs.Is(err, errs.Unprocessable) || !errors.As(err, &faults) || !slices.Contains(faults.Elements(), "Bundle.entry") {
		t.Error(err)
	}
	if _, err := v.Publish(ctx, Publication{Raw: make([]byte, MaxBytes+1)}); !errs.Is(err, errs.TooLarge) {
		t.Error(err)
	}
	if s.now.Version != 0 || len(s.events) != 0 {
		t.Error("something was published")
	}
}
