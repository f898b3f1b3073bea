package demo

import (
	"net/http"
	"strings"
)

// faultRow is a case as the page shows it.
type faultRow struct {
	ID, Title, Explain, Link string
	Expect                   expectation
	Wants                    *want
	Runs                     bool
}

type faultGroup struct {
	Title, Hint, Trip string
	Faults            []faultRow
}

type faultsPage struct {
	frame
	Groups []faultGroup
}

// faults lists all cases, with links for those that a browser must open.
func (s *server) faults(w http.ResponseWriter, r *http.Request) {
	smart, _, ok := s.discover(r.Context())
	if !ok {
		s.trouble(w, r, http.StatusBadGateway, "Mandate does not answer", "Mandate did not say where its endpoints are.", "Look whether it runs, then load the page again.")
		return
	}
	page := faultsPage{frame: ehrFrame("Make something go wrong", "/ehr/faults")}
	for _, g := range groups() {
		shown := faultGroup{Title: g.Title, Hint: g.Hint}
		if g.trip != "" {
			shown.Trip = s.tripURL(smart, g.id, g.trip)
		}
		for _, f := range g.faults {
			row := faultRow{ID: f.ID, Title: f.Title, Explain: f.Explain, Expect: f.Expect, Wants: f.Wants, Runs: f.runs()}
			switch {
			case f.change != nil:
				row.Link = s.authorizeURL(smart, f.change)
			case f.trip != "":
				row.Link = s.tripURL(smart, f.ID, f.trip)
			}
			shown.Faults = append(shown.Faults, row)
		}
		page.Groups = append(page.Groups, shown)
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, page.list())
		return
	}
	s.render(w, http.StatusOK, "faults", s.ehrPolicy, page)
}

// list gives the cases for programs that drive the simulator.
func (p faultsPage) list() []map[string]any {
	var out []map[string]any
	for _, g := range p.Groups {
		for _, f := range g.Faults {
			out = append(out, map[string]any{
				"id": f.ID, "title": f.Title, "group": g.Title, "expected": f.Expect.Words, "source": f.Expect.Source,
				"runs": f.Runs, "needs_value": f.Wants != nil, "link": f.Link,
			})
		}
	}
	return out
}

type outcomesPage struct {
	frame
	Outcomes []outcome
}

// runFault runs one case now.
func (s *server) runFault(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	f, ok := findFault(r.PathValue("id"))
	if !ok || !f.runs() {
		s.trouble(w, r, http.StatusNotFound, "No such case", "There is no case of this name that can be run from here.", "Go back to the list of cases.")
		return
	}
	if err := r.ParseForm(); err != nil {
		s.trouble(w, r, http.StatusBadRequest, "The form was not understood", "The form could not be read.", "Go back to the list of cases and begin again.")
		return
	}
	in := input{Value: strings.TrimSpace(r.PostForm.Get("value")), Patient: strings.TrimSpace(r.PostForm.Get("patient"))}
	if f.Wants != nil && in.Value == "" {
		s.trouble(w, r, http.StatusBadRequest, "Something is missing", f.Wants.Label+" was left empty.", "Go back, fill it in and run the case again.")
		return
	}
	s.showOutcomes(w, r, []outcome{s.execute(r.Context(), f, in)})
}

// faultReturn takes the code of a request that was begun for a case and runs
// the case with it.
func (s *server) faultReturn(w http.ResponseWriter, r *http.Request, id string) {
	q := r.URL.Query()
	f, ok := findFault(id)
	if ok && f.signIn {
		s.showOutcomes(w, r, []outcome{s.judge(f, exchange{
			Method: http.MethodGet, URL: s.callbackURL(), Status: http.StatusSeeOther, Location: s.callbackURL() + "?" + r.URL.RawQuery,
		})})
		return
	}
	if (!ok || f.trip == "") && id != "fhir" {
		s.trouble(w, r, http.StatusNotFound, "No such case", "There is no case of this name.", "Go back to the list of cases.")
		return
	}
	if q.Get("code") == "" {
		s.trouble(w, r, http.StatusOK, "There is no code to misuse", "Mandate answered "+q.Get("error")+": "+q.Get("error_description"), "Open the case again and allow what is asked.")
		return
	}
	smart, _, found := s.discover(r.Context())
	if !found {
		s.trouble(w, r, http.StatusBadGateway, "Mandate does not answer", "Mandate did not say where its endpoints are.", "Look whether it runs, then open the case again.")
		return
	}
	in := input{Code: q.Get("code"), smart: smart}
	if id == "fhir" {
		s.showOutcomes(w, r, s.afterTrip(r.Context(), in))
		return
	}
	s.showOutcomes(w, r, []outcome{s.judge(f, f.run(r.Context(), s, in))})
}

func (s *server) showOutcomes(w http.ResponseWriter, r *http.Request, list []outcome) {
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, list)
		return
	}
	title := "What came of it"
	if len(list) == 1 {
		title = "What came of it: " + list[0].Title
	}
	s.render(w, http.StatusOK, "outcomes", s.ehrPolicy, outcomesPage{ehrFrame(title, ""), list})
}
