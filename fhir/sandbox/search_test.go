package sandbox_test

import (
	"slices"
	"strings"
	"testing"
)

// The resources of the ward that searches look for.
const (
	pain, hiv, weight = "Observation/pain", "Observation/hiv", "Observation/weight"
	rosa, ines        = "Patient/rosa", "Patient/ines"
)

// searchCase is a search and what it finds, in any order.
type searchCase struct {
	search string
	want   []string
}

func (w *world) findsAll(cases []searchCase) {
	w.t.Helper()
	for _, c := range cases {
		w.finds(c.search, c.want...)
	}
}

// The parameters that granular scopes rest on: FHIR R4 search.html#token.
func TestSearchByToken(t *testing.T) {
	const category = "http://terminology.hl7.org/CodeSystem/observation-category"
	newWorld(t).findsAll([]searchCase{
		{"/Observation?code=72514-3", []string{pain}},
		{"/Observation?code=" + query("http://loinc.org|72514-3"), []string{pain}},
		{"/Observation?code=" + query("http://snomed.info/sct|72514-3"), nil},
		{"/Observation?code=" + query("|72514-3"), nil},
		{"/Observation?category=" + query(category+"|"), []string{pain, hiv, weight}},
		{"/Observation?category=survey,laboratory", []string{pain, hiv}},
		{"/Observation?category=survey&category=laboratory", nil},
		{"/Observation?category:not=survey", []string{hiv, weight}},
		{"/Observation?status=final", []string{pain, hiv}},
		{"/Observation?status=" + query("http://hl7.org/fhir/observation-status|final"), []string{pain, hiv}},
		{"/Observation?encounter:missing=true", []string{hiv, weight}},
		{"/Observation?encounter:missing=false", []string{pain}},
		{"/Observation?_security=" + query("http://terminology.hl7.org/CodeSystem/v3-ActCode|HIV"), []string{hiv}},
		{"/Observation?_security:not=HIV", []string{pain, weight}},
		{"/Patient?identifier=" + query("urn:mrn|100"), []string{rosa}},
		{"/Patient?identifier=200", []string{ines}},
		{"/Patient?gender=female&_id=rosa", []string{rosa}},
		{"/Patient?_id=rosa,ines,nobody", []string{rosa, ines}},
		{"/Patient?phone=555-0100", []string{rosa}},
		{"/Patient?email=555-0100", nil},
		{"/Patient?race=2106-3", []string{rosa}},
		{"/Patient?ethnicity=2106-3", nil},
	})
}

// FHIR R4 search.html#reference.
func TestSearchByReference(t *testing.T) {
	newWorld(t).findsAll([]searchCase{
		{"/MedicationRequest?intended-performer:identifier=" + query("urn:plan|9"), []string{"MedicationRequest/mr"}},
		{"/MedicationRequest?intended-performer:identifier=9", []string{"MedicationRequest/mr"}},
		{"/MedicationRequest?intended-performer:identifier=" + query("urn:other|9"), nil},
		{"/Observation?patient=rosa", []string{pain, hiv}},
		{"/Observation?patient=Patient/rosa", []string{pain, hiv}},
		{"/Observation?subject=" + query(base+"/Patient/rosa"), []string{pain, hiv}},
		{"/Observation?subject:Patient=ines", []string{weight}},
		{"/Observation?patient=rosa,ines", []string{pain, hiv, weight}},
		{"/Observation?patient=Patient/ros", nil},
		{"/Observation?performer=Patient/rosa", []string{weight}},
		{"/Provenance?target=Observation/pain", []string{"Provenance/prov"}},
	})
}

// FHIR R4 search.html#date.
func TestSearchByDate(t *testing.T) {
	newWorld(t).findsAll([]searchCase{
		{"/Observation?date=2026-10-01", []string{pain}},
		{"/Observation?date=2026-09", []string{hiv}},
		{"/Observation?date=2026-09-15", nil},
		{"/Observation?date=ge2026-10-01", []string{pain, weight}},
		{"/Observation?date=gt2026-10-01", []string{weight}},
		{"/Observation?date=lt2026-10-01&patient=rosa", []string{hiv}},
		{"/Observation?date=ge2026-09-01&date=le2026-10-31", []string{pain, hiv}},
		{"/Observation?date=ne2026-10-01", []string{hiv, weight}},
		{"/Observation?date=sa2026-10-01T09:00:00Z", []string{pain, weight}},
		{"/Observation?date=eb2026-10-01T09:00:00%2B02:00", []string{hiv}},
		{"/Encounter?date=2026-10-01", []string{"Encounter/visit"}},
		{"/Patient?birthdate=1947-03-05", []string{rosa}},
		{"/Patient?birthdate=ge1950-01-01", []string{ines}},
		{"/Patient?_lastUpdated=ge2026-11-22", []string{rosa, ines}},
		{"/Patient?_lastUpdated=lt2026-11-22", nil},
	})
}

// FHIR R4 search.html#string.
func TestSearchByString(t *testing.T) {
	newWorld(t).findsAll([]searchCase{
		{"/Patient?family=alv", []string{rosa}},
		{"/Patient?name=ros", []string{rosa}},
		{"/Patient?name=mar", []string{rosa}},
		{"/Patient?name=official", nil},
		{"/Patient?given:exact=Rosa", []string{rosa}},
		{"/Patient?given:exact=rosa", nil},
		{"/Patient?family:contains=AR", []string{rosa}},
		{"/Patient?family=alv,dia", []string{rosa, ines}},
	})
}

// FHIR R4 search.html#quantity.
func TestSearchByQuantity(t *testing.T) {
	newWorld(t).findsAll([]searchCase{
		{"/Observation?value-quantity=7", []string{pain}},
		{"/Observation?value-quantity=gt7", []string{weight}},
		{"/Observation?value-quantity=" + query("61.5||kg"), []string{weight}},
		{"/Observation?value-quantity=" + query("61.5||g"), nil},
	})
}

// FHIR R4 search.html#chaining and #has.
func TestSearchThroughReferences(t *testing.T) {
	newWorld(t).findsAll([]searchCase{
		{"/Observation?patient.name=rosa", []string{pain, hiv}},
		{"/Observation?subject:Patient.identifier=" + query("urn:mrn|200"), []string{weight}},
		{"/Observation?patient.organization.name=lakeside", []string{pain, hiv}},
		{"/Patient?_has:Observation:patient:code=29463-7", []string{ines}},
		{"/Patient?_has:Observation:patient:_has:Provenance:target:agent=Practitioner/chen", []string{rosa}},
	})
}

// FHIR R4 compartmentdefinition-patient.html: membership is not "about me".
func TestSearchInCompartment(t *testing.T) {
	newWorld(t).findsAll([]searchCase{
		{"/Patient/rosa/Observation", []string{pain, hiv, weight}},
		{"/Patient/rosa/Observation?status=final", []string{pain, hiv}},
		{"/Patient/ines/*", []string{weight}},
	})
}

func TestSearchIncludesWhatIsAskedFor(t *testing.T) {
	w := newWorld(t)
	for search, want := range map[string][]string{
		"/MedicationRequest?_include=MedicationRequest:medication":                                          {"MedicationRequest/mr", "include Medication/morphine"},
		"/MedicationRequest?_include=MedicationRequest:subject:Patient":                                     {"MedicationRequest/mr", "include Patient/rosa"},
		"/MedicationRequest?_include=MedicationRequest:subject:Group":                                       {"MedicationRequest/mr"},
		"/MedicationRequest?_include=*":                                                                     {"MedicationRequest/mr", "include Medication/morphine", "include Patient/rosa", "include Practitioner/chen"},
		"/MedicationRequest?_include=MedicationRequest:medication&_include:iterate=Medication:manufacturer": {"MedicationRequest/mr", "include Medication/morphine", "include Organization/lakeside"},
		"/MedicationRequest?_include=MedicationRequest:medication&_include=Medication:manufacturer":         {"MedicationRequest/mr", "include Medication/morphine"},
		"/Observation?code=72514-3&_revinclude=Provenance:target":                                           {"Observation/pain", "include Provenance/prov"},
		"/Observation?patient=rosa&_include=Observation:encounter&_include=Observation:patient":             {"Observation/pain", "Observation/hiv", "include Encounter/visit", "include Patient/rosa"},
		"/Encounter?_revinclude=Observation:encounter&_revinclude:iterate=Provenance:target":                {"Encounter/visit", "include Observation/pain", "include Provenance/prov"},
		"/Encounter?_revinclude=*": {"Encounter/visit", "include Observation/pain"},
	} {
		w.finds(search, want...)
	}
}

func TestSearchPagesThroughEveryMatchOnce(t *testing.T) {
	w := newWorld(t)
	var seen []string
	next := base + "/Observation?_count=1&_sort=date"
	for next != "" {
		page := w.get(next).want(200)
		if page.at("total") != 3.0 {
			t.Fatalf("total %v", page.at("total"))
		}
		seen = append(seen, page.ids()...)
		if previous := page.link("previous"); len(seen) == 3 && previous != base+"/Observation?_count=1&_offset=1&_sort=date" {
			t.Errorf("the third page's previous link is %q", previous)
		}
		next = page.link("next")
	}
	if want := []string{"Observation/hiv", "Observation/pain", "Observation/weight"}; !slices.Equal(seen, want) {
		t.Fatalf("got %v", seen)
	}
	w.finds("/Observation?_count=0")
	if self := w.get("/Observation?status=final&flavour=sweet").link("self"); self != base+"/Observation?status=final" {
		t.Errorf("self link %s", self)
	}
}

func TestSearchSorts(t *testing.T) {
	w := newWorld(t)
	for search, want := range map[string]string{
		"/Observation?subject=Patient/ines,Patient/rosa,Patient/rosa": "pain hiv weight",
		"/Patient?_id=ines,rosa,ines":                                 "rosa ines",
		"/Observation?_sort=-date":                                    "weight pain hiv",
		"/Observation?_sort=status,_id":                               "weight hiv pain",
		"/Observation?_sort=-_id":                                     "weight pain hiv",
		"/Observation?_sort=encounter":                                "pain hiv weight",
		"/Observation?_sort=_lastUpdated":                             "pain hiv weight",
		"/Patient?_sort=-family":                                      "ines rosa",
	} {
		var got []string
		for _, id := range w.get(search).want(200).ids() {
			got = append(got, id[strings.IndexByte(id, '/')+1:])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v", search, got)
		}
	}
}

func TestSearchCountsWithoutShowing(t *testing.T) {
	w := newWorld(t)
	a := w.get("/Observation?patient=rosa&_summary=count").want(200)
	if a.at("total") != 2.0 || a.at("entry") != nil {
		t.Errorf("got %s", a.raw)
	}
	if a := w.get("/Observation?_total=none").want(200); a.at("total") != nil || len(a.ids()) != 3 {
		t.Errorf("got %s", a.raw)
	}
	first := w.get("/Observation?_total=accurate&_count=1").want(200)
	if first.at("total") != 3.0 || first.text("entry", 0, "fullUrl") != base+"/Observation/pain" ||
		first.text("entry", 0, "search", "mode") != "match" || first.text("type") != "searchset" {
		t.Errorf("got %s", first.raw)
	}
}

func TestSearchByPostReadsTheForm(t *testing.T) {
	w := newWorld(t)
	form := []string{"Content-Type: application/x-www-form-urlencoded"}
	a := w.do("POST", "/Observation/_search?status=final", "patient=Patient/rosa&code=72514-3&_format=json", append(form, "Prefer: handling=strict")...).want(200)
	if got := a.ids(); !slices.Equal(got, []string{"Observation/pain"}) {
		t.Errorf("got %v", got)
	}
	a = w.do("POST", "/Patient/rosa/Observation/_search", "code=72514-3", form...).want(200)
	if got := a.ids(); !slices.Equal(got, []string{"Observation/pain"}) {
		t.Errorf("got %v", got)
	}
}

func TestSearchRefusesWhatItDoesNotUnderstand(t *testing.T) {
	w := newWorld(t)
	w.finds("/Observation?flavour=sweet&code=72514-3", "Observation/pain")
	strict := "Prefer: handling=strict"
	w.get("/Observation?flavour=sweet", strict).want(400)
	w.get("/Observation?_sort=flavour", strict).want(400)
	w.get("/Observation?patient.flavour=sweet", strict).want(400)
	w.get("/Observation?_include=Observation:flavour", strict).want(400)
	for _, bad := range []string{
		"/Observation?code:in=http://vs", "/Observation?date=yesterday", "/Observation?date=2026-02-30",
		"/Observation?value-quantity=much", "/Observation?encounter:missing=perhaps", "/Observation?_count=-1",
		"/Observation?_include=Observation", "/Observation?_include=Sweet:flavour", "/Observation?code=" + query("a|b|c"),
		"/Patient/rosa/Medication", "/Observation?_has:Sweet:a:b=c", "/Observation?code=%zz",
	} {
		w.get(bad).want(400)
	}
	w.get("/Sweet?code=1").want(404)
	w.get("/Patient/rosa/Sweet").want(404)
}
