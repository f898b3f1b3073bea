package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// askWhy fills in the page and gives the answer.
func askWhy(t *testing.T, s *server, b *kit.Browser, of, id, request string) *kit.Page {
	t.Helper()
	page := s.open(t, b, "/operator/explain")
	i := slices.IndexFunc(page.Forms, func(f *kit.Form) bool {
		return slices.ContainsFunc(f.Fields, func(x *kit.Field) bool { return x.Name == "request" })
	})
	if i < 0 {
		t.Fatalf("nothing can be asked: %s", page.Text())
	}
	f := page.Forms[i]
	v := f.Values(nil)
	v.Set("of", of)
	v.Set("id", id)
	v.Set("request", request)
	answer, err := b.Post(t.Context(), f, v, "")
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TF-20: an operator asks the console why, without JavaScript; what is mistyped is
// told at its field, a patient is turned away, and the question is in the log.
func TestOperatorAsksWhyInTheConsole(t *testing.T) {
	s := start(t, nil)
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}})
	row, ada := s.newest(t, "rosa"), s.browser("admin")
	s.fetch(t, g.Access(), "Goal", http.StatusForbidden)
	says := func(p *kit.Page, status int, all ...string) {
		t.Helper()
		for _, want := range all {
			if p.Status != status || !strings.Contains(p.Text(), want) {
				t.Errorf("%d, %q is missing in %s", p.Status, want, p.Text())
			}
		}
	}
	says(s.open(t, ada, "/staff"), http.StatusOK, "Why was that?")
	says(askWhy(t, s, ada, "grant", row.ID, "GET /MedicationRequest"), http.StatusOK, "It is allowed: why", "patient/MedicationRequest.rs", "/_history/1", "RelatedPerson/rosa-elena", "This holds now")
	says(askWhy(t, s, ada, "grant", row.ID, "/Goal"), http.StatusOK, "It is not allowed: why", "no-scope")
	var log struct{ Events []struct{ ID string } }
	s.admin(t, "GET", "/audit?kind=fhir.refused&grant="+row.ID, "", &log)
	says(askWhy(t, s, ada, "event", log.Events[0].ID, ""), http.StatusOK, "When it happened", "no-scope", "It would end the same way now.")
	says(askWhy(t, s, ada, "grant", "nobody", "/Goal"), http.StatusBadRequest, "There is nothing with this number")
	says(askWhy(t, s, ada, "grant", row.ID, "/Nothing"), http.StatusBadRequest, "This cannot be read")
	says(askWhy(t, s, ada, "grant", row.ID, ""), http.StatusBadRequest, "Fill this in")
	says(askWhy(t, s, ada, "moon", row.ID, "/Goal"), http.StatusBadRequest, "Choose one")
	if asked := s.events(t, "kind=audit.read&grant="+row.ID); len(asked) != 3 || asked[0].PersonID == "" {
		t.Errorf("the log has %+v", asked)
	}
	for _, who := range []string{"rosa", "hale"} {
		if p := s.open(t, s.browser(who), "/operator/explain"); p.Status != http.StatusForbidden {
			t.Errorf("%s: %d", who, p.Status)
		}
	}
}
