package gateway_test

import (
	"strings"
	"testing"
)

// parametersOf gives the input of an operation.
func parametersOf(parts ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(parts, ",") + `]}`
}

func parameter(name, resource string) string {
	return `{"name":"` + name + `","resource":` + resource + `}`
}

// TF-25, LC-10: a Consent is filed and revoked by the operations of the
// consent-management guide, under the scopes of creating and updating; a revocation
// changes the status and nothing else.
func TestConsentOperations(t *testing.T) {
	w := newWorld(t)
	w.system("portal", "system/Consent.cruds")
	w.system("reader", "system/Consent.rs")
	e1 := example(t, "e1.json")
	file := parametersOf(parameter("consent", e1))

	w.do("reader", "POST", "/Consent/$fileConsent", file).want(403)
	filed := w.do("portal", "POST", "/Consent/$fileConsent", file).want(201)
	place := filed.header.Get("Location")
	id, _, _ := strings.Cut(place[strings.Index(place, "/Consent/")+len("/Consent/"):], "/")
	stored := w.get("portal", "/Consent/"+id).want(200)
	if !strings.Contains(stored.raw, `"active"`) {
		t.Error(stored.raw)
	}

	same := strings.Replace(strings.Replace(e1, `"id": "e1-daughter-meds-appts"`, `"id": "`+id+`"`, 1), `"permit"`, `"deny"`, 1)
	if !strings.Contains(same, id) {
		t.Fatal("the example has another form")
	}
	rosa, ines := parameter("patient", `{"resourceType":"Patient","id":"rosa"}`), parameter("patient", `{"resourceType":"Patient","id":"ines"}`)
	w.do("portal", "POST", "/Consent/$revokeConsent", parametersOf(parameter("consent", same), ines)).want(400)
	w.do("reader", "POST", "/Consent/$revokeConsent", parametersOf(parameter("consent", same), rosa)).want(403)
	w.do("portal", "POST", "/Consent/$revokeConsent", parametersOf(parameter("Consent", same), rosa)).want(200)
	after := w.get("portal", "/Consent/"+id).want(200)
	if !strings.Contains(after.raw, `"inactive"`) || strings.Count(after.raw, `"permit"`) != strings.Count(stored.raw, `"permit"`) {
		t.Error(after.raw)
	}
	w.do("portal", "POST", "/Consent/$revokeConsent", parametersOf(parameter("consent", same), rosa)).want(200)
	if again := w.get("portal", "/Consent/"+id).want(200); again.raw != after.raw {
		t.Error("revoked twice")
	}

	for name, body := range map[string]string{
		"no parameters":   `{"resourceType":"Consent"}`,
		"no consent":      parametersOf(rosa),
		"two consents":    parametersOf(parameter("consent", e1), parameter("consent", e1)),
		"another type":    parametersOf(parameter("consent", `{"resourceType":"Patient","id":"rosa"}`)),
		"unknown":         parametersOf(parameter("consent", e1), parameter("other", e1)),
		"patient is none": parametersOf(parameter("consent", e1), parameter("patient", e1)),
	} {
		t.Run(name, func(t *testing.T) {
			w.do("portal", "POST", "/Consent/$fileConsent", body).want(400)
			w.do("portal", "POST", "/Consent/$revokeConsent", body).want(400)
		})
	}
	w.do("portal", "POST", "/Consent/$fileConsent", parametersOf(parameter("consent", e1), parameter("document", `{"resourceType":"DocumentReference"}`))).want(422)
	w.do("portal", "POST", "/Consent/$updateConsent", file).want(403)
	w.do("portal", "POST", "/Consent/"+id+"/$revokeConsent", file).want(403)
}
