package oauth

import (
	"encoding/json"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
)

// UDP-29, UDP-30
func TestParseB2B(t *testing.T) {
	purposes := []string{"TREAT", "COC"}
	for raw, want := range map[string]string{
		`{"version":"1","organization_id":"https://a.example","purpose_of_use":["TREAT"]}`:                                  "",
		`{"version":"1","organization_id":"urn:oid:1.2.3","purpose_of_use":["urn:oid:2.16.840.1.113883.5.8#COC"]}`:          "",
		`{"version":"1","organization_id":"https://a.example","purpose_of_use":["http://x/CodeSystem/v3-ActReason|TREAT"]}`: "",
		``:     "udap-b2b-missing",
		`null`: "udap-b2b-missing",
		`"1"`:  "udap-b2b-malformed",
		`{}`:   "udap-b2b-malformed",
		`{"version":1,"organization_id":"https://a.example","purpose_of_use":["TREAT"]}`:                                                                "udap-b2b-malformed",
		`{"version":"1","organization_id":"clinic","purpose_of_use":["TREAT"]}`:                                                                         "udap-b2b-malformed",
		`{"version":"1","organization_id":"https://a.example","purpose_of_use":[]}`:                                                                     "udap-b2b-malformed",
		`{"version":"1","organization_id":"https://a.example","purpose_of_use":[""]}`:                                                                   "udap-b2b-malformed",
		`{"version":"1","organization_id":"https://a.example","purpose_of_use":["TREAT","HMARKT"]}`:                                                     "udap-purpose",
		`{"version":"1","organization_id":"https://a.example","purpose_of_use":["TREAT"],"subject_name":"Dr. A"}`:                                       "udap-b2b-malformed",
		`{"version":"1","organization_id":"https://a.example","purpose_of_use":["TREAT"],"consent_reference":["https://a.example/Consent/1"]}`:          "udap-b2b-malformed",
		`{"version":"1","organization_id":"https://a.example","purpose_of_use":["TREAT"],"consent_policy":["urn:p"],"consent_reference":["Consent/1"]}`: "udap-b2b-malformed",
	} {
		b, err := ParseB2B(json.RawMessage(raw), purposes)
		got := ""
		if err != nil {
			got = errs.As(err).Code
		}
		if got != want || (b == nil) != (err != nil) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// The newest certificates of a client are remembered, each once.
func TestRemember(t *testing.T) {
	u := UDAP{}
	for _, leaf := range []string{"a", "b", "a", "c", "d", "e"} {
		u = u.Remember([]string{leaf, "anchor"})
	}
	if len(u.Chains) != maxChains || u.Knows([]string{"a"}) || !u.Knows([]string{"e"}) || !u.Knows([]string{"b"}) {
		t.Errorf("%v", u.Chains)
	}
}
