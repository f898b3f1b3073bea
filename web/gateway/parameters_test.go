package gateway_test

import (
	"slices"
	"strings"
	"testing"
)

// R4 §3.1.1.1.1, SA-16: what R4 does not know never reaches the upstream; the answer
// says what was ignored, or refuses where that is asked for.
func TestUnknownSearchParameters(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	for _, path := range []string{
		"/Observation?nickname=x&_count=3", "/Observation?birthdate=2000-01-01", "/Observation?_getpages=abc", "/Observation?_sort=-nickname", "/Observation?_include=Observation:nickname",
		"/Observation?_revinclude=Provenance:nickname", "/Patient/rosa/Observation?nickname=x", "/Patient/rosa/$everything?nickname=x&_count=2", "/Observation?nickname=x&_summary=count",
	} {
		*w.asked = nil
		r := w.get("rosa", path).want(200)
		if !strings.Contains(r.raw, `"mode":"outcome"`) || !strings.Contains(r.raw, "was ignored") {
			t.Errorf("%s: nobody says that something was ignored: %s", path, r.raw)
		}
		if strings.Contains(r.link("self"), "nickname") || strings.Contains(r.link("self"), "_getpages") {
			t.Errorf("%s: the answer says that it was asked by what was ignored: %s", path, r.link("self"))
		}
		if asked := strings.Join(*w.asked, " "); strings.Contains(asked, "nickname") || strings.Contains(asked, "birthdate") || strings.Contains(asked, "_getpages") {
			t.Errorf("%s: the upstream was asked %s", path, asked)
		}
		if code := w.get("rosa", path, "Prefer: handling=strict").want(400).code(); code != "parameter-unknown" {
			t.Errorf("%s: strictly: %s", path, code)
		}
	}
	// The second page says nothing any more.
	first := w.get("rosa", "/Observation?nickname=x&_count=1").want(200)
	if next := w.get("rosa", first.link("next")).want(200); strings.Contains(next.raw, "outcome") {
		t.Error(next.raw)
	}
	for _, path := range []string{"/Observation?code:nickname=1", "/Observation?subject:patient=rosa"} {
		if code := w.get("rosa", path).want(400).code(); code != "modifier-unknown" {
			t.Errorf("%s: %s", path, code)
		}
	}
	for _, path := range []string{
		"/Observation?code=1&value-quantity=gt5&_sort=-date,code&_include=Observation:subject:Patient&_include=*", "/Patient?race=x", "/Observation?subject:Patient=rosa", "/Observation?code:not=2",
		"/Observation?_tag=x&_lastUpdated=gt2020-01-01&_profile=http://x",
	} {
		if r := w.get("rosa", path, "Prefer: handling=strict"); r.status == 400 {
			t.Errorf("%s: %s", path, r.raw)
		}
	}
}

// SMART M-08…M-10: a condition of which a part would be ignored selects more than was
// meant.
func TestUnknownParametersInConditions(t *testing.T) {
	w := newWorld(t)
	w.system("all", "system/*.cruds")
	body := observation("", "rosa", "laboratory", labelN)
	body = strings.Replace(body, `"id":"",`, "", 1)
	for _, r := range []reply{
		w.do("all", "DELETE", "/Observation?nickname=x", ""), w.do("all", "PUT", "/Observation?code=1&nickname=x", body), w.do("all", "POST", "/Observation", body, "If-None-Exist: nickname=x"),
		w.get("all", "/$export?_type=Observation&_typeFilter=Observation%3Fnickname%3Dx", "Prefer: respond-async"),
	} {
		if code := r.want(400).code(); code != "parameter-unknown" {
			t.Error(r.raw)
		}
	}
}

// A FHIR server may have parameters of its own, which the configuration names.
func TestParametersOfTheUpstream(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/*.rs", self("rosa"))
	w.deps.Parameters = []string{"Observation:nickname", "*:lake"}
	w.rebuild()
	*w.asked = nil
	for _, path := range []string{"/Observation?nickname=x", "/Condition?lake=x"} {
		w.get("rosa", path)
	}
	if asked := *w.asked; !slices.ContainsFunc(asked, func(s string) bool { return strings.Contains(s, "nickname=x") }) || !slices.ContainsFunc(asked, func(s string) bool { return strings.Contains(s, "lake=x") }) {
		t.Error(asked)
	}
	if r := w.get("rosa", "/Condition?nickname=x").want(200); !strings.Contains(r.raw, "was ignored") {
		t.Error(r.raw)
	}
	w.deps.Parameters = nil
	w.modes(map[string]string{"input": "audit"})
	*w.asked = nil
	w.get("rosa", "/Observation?nickname=x")
	if !strings.Contains(strings.Join(*w.asked, " "), "nickname=x") || w.log.last().Detail["would_deny"] != "input:parameter-unknown" {
		t.Error(*w.asked, w.log.last().Detail)
	}
}
