package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// delegated is what is said of a proxy's access, in a token or of one.
type delegated struct {
	Active  bool  `json:"active"`
	Expires int64 `json:"exp"`
	Proxy   *struct {
		Capacity   string `json:"capacity"`
		DecisionID string `json:"decision_id"`
		ValidUntil int64  `json:"valid_until"`
	} `json:"https://mandate.example/fhir/claims/proxy"`
	Extensions struct {
		IUA *struct {
			SubjectName  string              `json:"subject_name"`
			SubjectRole  []map[string]string `json:"subject_role"`
			PurposeOfUse []map[string]string `json:"purpose_of_use"`
			PersonID     string              `json:"person_id"`
		} `json:"ihe_iua"`
		PCF *struct {
			PatientID string   `json:"patient_id"`
			DocID     []string `json:"doc_id"`
			ACP       []string `json:"acp"`
			Residual  []struct {
				Type   string                          `json:"type"`
				Labels []struct{ System, Code string } `json:"securityLabel"`
			} `json:"residual"`
		} `json:"ihe_pcf"`
	} `json:"extensions"`
}

// inToken reads what an app can read of its token, and wants no label in it.
func inToken(t *testing.T, token string) (d delegated) {
	t.Helper()
	_, body := claims(t, token)
	raw, err := json.Marshal(body)
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	readable(t, "token", string(raw))
	return d
}

// readable wants a text that an app can read to say nothing of labels, of the
// policies of Consents, or of who asks.
func readable(t *testing.T, what, text string) {
	t.Helper()
	for _, tells := range []string{"v3-Confidentiality", "v3-ActCode", "residual", "acp", "forbid", "subject_name", "42CFRPart2", `"HIV"`, `"SUD"`, `"PSY"`, `"R"`, "/policy/", "e1-", "e2-", "e3-", "e5-", "e6-"} {
		if strings.Contains(text, tells) {
			t.Errorf("%s tells of %s: %s", what, tells, text)
		}
	}
}

// toldTo introspects as a client.
func (s *server) toldTo(t *testing.T, c kit.Client, token string) (d delegated, body string) {
	t.Helper()
	res, err := s.Introspect(t.Context(), c, token)
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	if err := json.Unmarshal(res.Body, &d); err != nil {
		t.Fatal(err)
	}
	return d, string(res.Body)
}

// startResourceServers starts a server with a resource server that may introspect
// and no more, and one that is told what Consents withhold.
func startResourceServers(t *testing.T) (s *server, plain, full kit.Client) {
	t.Helper()
	plain = kit.Client{ID: "plain-rs", Kind: "symmetric", Secret: "a secret of the plain resource server"}
	full = kit.Client{ID: "full-rs", Kind: "symmetric", Secret: "a secret of the full resource server", RedirectURIs: []string{"https://full.example/cb"}}
	file := filepath.Join(t.TempDir(), "clients.json")
	raw, err := json.Marshal([]any{map[string]any{
		"client_id": plain.ID, "kind": plain.Kind, "client_secret": plain.Secret, "redirect_uris": []string{"https://rs.example/cb"}, "introspect": true,
	}, map[string]any{
		"client_id": full.ID, "kind": full.Kind, "client_secret": full.Secret, "redirect_uris": full.RedirectURIs, "introspect": true, "introspect_consents": true,
	}})
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s = start(t, func(cfg *app.Config) { cfg.ClientFiles = []string{file} })
	return s, plain, full
}

// CPA SC-08, SC-13, EV-15, IU-05, PC-17, TR-21: what a proxy's token says, at issue,
// at refresh and when it is introspected: by the app, by a resource server, and by
// one that enforces Consents itself.
func TestAProxysTokenSaysOnWhatItRests(t *testing.T) {
	s, plain, full := startResourceServers(t)
	g := s.granted(t, kit.Launch{
		Client: s.Client("symmetric"), Scope: "launch/patient offline_access patient/*.rs",
		Visit: kit.Visit{Browser: s.browser("tomas"), Patient: "rosa"},
	})
	end := s.consentEnd(t, "e2-husband-full-normal").Unix()
	first := inToken(t, g.Access())
	says := func(what string, d delegated) {
		t.Helper()
		if p := d.Proxy; p == nil || p.Capacity != "designated-proxy" || p.ValidUntil != end || p.DecisionID == "" || d.Expires > p.ValidUntil {
			t.Fatalf("%s: %+v", what, p)
		}
		if i := d.Extensions.IUA; i == nil || i.PersonID != "rosa" || len(i.PurposeOfUse) != 1 || i.PurposeOfUse[0]["code"] != "FAMRQT" ||
			len(i.SubjectRole) != 1 || i.SubjectRole[0]["code"] != "HUSB" {
			t.Errorf("%s: %+v", what, i)
		}
		if p := d.Extensions.PCF; p == nil || p.PatientID != s.FHIRBase+"/Patient/rosa" || len(p.DocID) == 0 {
			t.Errorf("%s: %+v", what, p)
		}
		s.decided(t, what, d.Proxy.DecisionID, "Consent/e2-husband-full-normal/_history/1")
	}
	says("token", first)
	fresh := s.refreshed(t, g, g.RefreshToken(), http.StatusOK).Text("access_token")
	second := inToken(t, fresh)
	says("refreshed", second)
	if second.Proxy.DecisionID == first.Proxy.DecisionID {
		t.Error("two decisions have one id")
	}
	for _, c := range []kit.Client{g.Client, plain} {
		d, body := s.toldTo(t, c, fresh)
		says(c.ID, d)
		readable(t, c.ID, body)
	}
	d, body := s.toldTo(t, full, fresh)
	says(full.ID, d)
	pcf := d.Extensions.PCF
	if d.Extensions.IUA.SubjectName != "Tomas Alvarez" || !slices.Contains(pcf.DocID, s.FHIRBase+"/Consent/e2-husband-full-normal/_history/1") || len(pcf.ACP) == 0 {
		t.Errorf("%s", body)
	}
	withheld := map[string]bool{}
	for _, r := range pcf.Residual {
		for _, l := range r.Labels {
			withheld[l.Code] = r.Type == "forbid"
		}
	}
	for code, want := range map[string]bool{"R": true, "V": true, "N": false, "HIV": true, "SUD": true, "PSY": true, "NOPAT": true} {
		if withheld[code] != want {
			t.Errorf("%s withheld %t", code, withheld[code])
		}
	}
	// The resource server as an app among apps: its own tokens are readable to it.
	own := s.granted(t, kit.Launch{Client: full, Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("tomas"), Patient: "rosa"}})
	_, body = s.toldTo(t, full, own.Access())
	readable(t, "its own token", body)
	rosa := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	if d := inToken(t, rosa.Access()); d.Proxy != nil || d.Extensions.IUA != nil {
		t.Errorf("the patient's own token speaks of a proxy: %+v", d)
	}
}

// decided wants the audit event of a decision to hold the Consents by which it was
// made.
func (s *server) decided(t *testing.T, what, id, consent string) {
	t.Helper()
	var out struct {
		Events []struct {
			ID, Kind string
			Consents []string
		} `json:"events"`
	}
	for range 50 {
		if s.admin(t, "GET", "/audit?kind=token.issued&kind=token.introspected&patient=rosa", "", &out); slices.ContainsFunc(out.Events, func(e struct {
			ID, Kind string
			Consents []string
		}) bool {
			return e.ID == id && slices.Contains(e.Consents, consent)
		}) {
			return
		}
	}
	t.Errorf("%s: the log has no decision %s under %s", what, id, consent)
}

// CPA SC-13: no token that an app of any proxy can read names a label, and none
// tells that its holder will be shut out.
func TestNoTokenTellsWhatIsKept(t *testing.T) {
	s, _, full := startResourceServers(t)
	of := func(who, patient string) *kit.Grant {
		t.Helper()
		return s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser(who), Patient: patient}})
	}
	for who, patient := range map[string]string{"elena": "rosa", "tomas": "rosa", "ines": "rosa", "dana": "noah"} {
		d := inToken(t, of(who, patient).Access())
		if d.Proxy == nil || d.Proxy.Capacity != "designated-proxy" {
			t.Errorf("%s: %+v", who, d.Proxy)
		}
	}
	before := inToken(t, of("elena", "rosa").Access())
	block := strings.NewReplacer("rosa-victor", "rosa-elena", "e4-block-former-spouse", "e4-later").Replace(s.stored(t, "rosa", "e4-block-former-spouse"))
	var later map[string]any
	if err := json.Unmarshal([]byte(block), &later); err != nil {
		t.Fatal(err)
	}
	starts := s.Now().Add(10 * day).UTC().Truncate(time.Second)
	later["provision"].(map[string]any)["period"] = map[string]any{"start": starts.Format(time.RFC3339)}
	raw, err := json.Marshal(later)
	if err != nil {
		t.Fatal(err)
	}
	if res := s.put(t, "/consents/e4-later", "", raw); res.Status != http.StatusOK {
		t.Fatal(res, string(res.Body))
	}
	g := of("elena", "rosa")
	after := inToken(t, g.Access())
	if after.Proxy.ValidUntil != before.Proxy.ValidUntil {
		t.Errorf("the token tells of a prohibition to come: %d, before %d", after.Proxy.ValidUntil, before.Proxy.ValidUntil)
	}
	if d, body := s.toldTo(t, full, g.Access()); d.Proxy.ValidUntil != starts.Unix() {
		t.Errorf("the resource server is not told of it: %s", body)
	}
}

// stored gives a Consent as it is stored.
func (s *server) stored(t *testing.T, patient, id string) string {
	t.Helper()
	var list struct {
		Consents []json.RawMessage `json:"consents"`
	}
	s.admin(t, "GET", "/consents?patient="+patient, "", &list)
	for _, raw := range list.Consents {
		var c struct{ ID string }
		if json.Unmarshal(raw, &c) == nil && c.ID == id {
			return string(raw)
		}
	}
	t.Fatalf("%s is not there", id)
	return ""
}
