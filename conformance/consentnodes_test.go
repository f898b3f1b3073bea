package conformance_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
	"github.com/mandate-health/mandate/internal/testrun"
)

// daughters gives a token of the daughter of the story, who acts for the patient.
func (p *pair) daughters(t *testing.T) *kit.Grant {
	t.Helper()
	g, err := p.a.Launch(t.Context(), kit.Launch{
		Client: p.client, Scope: "launch/patient patient/MedicationRequest.rs", Visit: kit.Visit{Person: "elena", Patient: "rosa"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// medicines asks a node for what the daughter may see, until it answers as wanted.
func (p *pair) medicines(t *testing.T, node string, g *kit.Grant, want int, limit time.Duration) {
	t.Helper()
	var last *kit.Response
	if !p.a.Await(t.Context(), limit, func() bool {
		res, err := p.a.Do(t.Context(), kit.Request{URL: node + "/fhir/MedicationRequest?patient=rosa", Bearer: g.Access()})
		if err != nil {
			t.Fatal(err)
		}
		last = res
		return res.Status == want
	}) {
		t.Fatalf("after %s the answer is still %s, not %d", limit, last, want)
	}
}

// ofDaughter gives the active Consents that name the daughter.
func (p *pair) ofDaughter(t *testing.T) (ids []string) {
	t.Helper()
	var answer struct {
		Consents []struct {
			ID, Status string
			Provision  json.RawMessage
		}
	}
	res, err := p.a.Do(t.Context(), kit.Request{URL: p.a.AdminAPI.URL + "/consents?patient=rosa", Bearer: p.a.AdminAPI.Token})
	if err == nil {
		err = json.Unmarshal(res.Body, &answer)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range answer.Consents {
		if c.Status == "active" && strings.Contains(string(c.Provision), "RelatedPerson/rosa-elena") {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func (p *pair) administer(t *testing.T, method, path string, body string, match string) *kit.Response {
	t.Helper()
	r := kit.Request{Method: method, URL: p.a.AdminAPI.URL + path, Bearer: p.a.AdminAPI.Token}
	if body != "" {
		r.Body, r.Type, r.Header = strings.NewReader(body), "application/fhir+json", http.Header{"If-Match": {match}}
	}
	res, err := p.a.Do(t.Context(), r)
	if err != nil || res.Status >= http.StatusMultipleChoices {
		t.Fatal(res, err)
	}
	return res
}

// SC-18, D17: the consent epoch of a patient reaches the other node by push, and
// by polling where nobody can push (a pooler has no LISTEN): what was narrowed or
// ended at one is refused at the other, and what is given back is honoured.
func TestConsentEpochReachesTheOtherNode(t *testing.T) {
	for name, args := range map[string][]string{"pushed": nil, "polled": {"--database-pooler"}} {
		t.Run(name, func(t *testing.T) {
			dsn := testpg.Start(t)
			p := nodes(t, "epoch-"+name, dsn, dsn, args...)
			g := p.daughters(t)
			p.medicines(t, p.b, g, http.StatusOK, revocationLimit)
			ids := p.ofDaughter(t)
			if len(ids) == 0 {
				t.Fatal("the daughter has no Consent")
			}
			var last *kit.Response
			for _, id := range ids {
				last = p.administer(t, http.MethodPost, "/consents/"+id+"/withdraw", "", "")
			}
			p.medicines(t, p.b, g, http.StatusForbidden, revocationLimit)
			// The same Consent in force again is a new version; the token lives still.
			again := strings.Replace(string(last.Body), `"inactive"`, `"active"`, 1)
			p.administer(t, http.MethodPut, "/consents/"+ids[len(ids)-1], again, `W/"2"`)
			p.medicines(t, p.b, g, http.StatusOK, revocationLimit)
		})
	}
}

// SC-18, EV-02: a node that cannot learn of changes any more refuses who acts for
// somebody else; it does not honour what it remembers.
// CPA TF-05, TR-41.
func TestStaleProxiesAreRefused(t *testing.T) {
	cluster := testpg.New(t)
	w := &wire{to: cluster.Address}
	p := nodes(t, "stale", cluster.DSN, cluster.URL(w.open(t)))
	g := p.daughters(t)
	p.medicines(t, p.b, g, http.StatusOK, revocationLimit)
	w.set(true)
	for _, id := range p.ofDaughter(t) {
		p.administer(t, http.MethodPost, "/consents/"+id+"/withdraw", "", "")
	}
	p.medicines(t, p.b, g, http.StatusServiceUnavailable, 2*revocationLimit)
	w.set(false)
	p.medicines(t, p.b, g, http.StatusForbidden, testrun.StartLimit)
}
