package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/appstate"
)

// AppState serves the states of apps below a base of its own: Basic resources
// that never reach the upstream (SMART CAP-18). Tokens, CORS and refusals are
// those of the FHIR base.
func (g *Gateway) AppState(base string, states *appstate.Service) http.Handler {
	return &stateBase{g: g, base: base, states: states}
}

type stateBase struct {
	g      *Gateway
	base   string
	states *appstate.Service
}

// ServeHTTP answers one request.
func (s *stateBase) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if s.g.preflight(w, r, "/"+appstate.Type) {
		return
	}
	x, err := s.g.authenticate(w, r)
	if err != nil {
		s.g.refuse(w, r, err)
		return
	}
	s.g.allowClient(w, r, x.bearer.Client)
	ans, err := s.do(r, x)
	if err != nil {
		s.g.d.Problems.FHIR(w, r, x.stateRefused(r, err))
		return
	}
	ans.write(w, r)
}

// do answers an interaction.
func (s *stateBase) do(r *http.Request, x *exchange) (answer, error) {
	a := appstate.Asker{Tenant: s.g.d.Tenant, Base: s.g.d.Base, Client: x.bearer.Client, Input: x.in, Origin: x.origin}
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return s.search(r, x, a)
	}
	if r.Method == http.MethodDelete {
		version, err := stateVersion(r)
		if err == nil {
			err = s.states.Delete(r.Context(), a, id, version)
		}
		return answer{status: http.StatusNoContent}, err
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, appstate.MaxBytes+1))
	if err != nil {
		return answer{}, errs.Wrap(err, errs.Invalid, "body-unreadable", "The body could not be read.")
	}
	if r.Method == http.MethodPost {
		st, err := s.states.Create(r.Context(), a, raw)
		ans := stateAnswer(http.StatusCreated, st)
		ans.location = s.base + "/" + appstate.Type + "/" + st.ID
		return ans, err
	}
	version, err := stateVersion(r)
	if err != nil {
		return answer{}, err
	}
	st, err := s.states.Update(r.Context(), a, id, version, raw)
	return stateAnswer(http.StatusOK, st), err
}

func stateAnswer(status int, st appstate.State) answer {
	return answer{status: status, body: st.JSON, version: strconv.Itoa(st.Version), updated: st.Updated}
}

// stateVersion reads If-Match, without which nothing is changed (APS-04).
func stateVersion(r *http.Request) (int, error) {
	tag := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(r.Header.Get("If-Match"), "W/"), `"`), `"`)
	n, err := strconv.Atoi(tag)
	if err != nil || n < 1 {
		return 0, errs.New(errs.PreconditionFailed, "if-match-needed", `A change of app state names the version that it replaces: If-Match: W/"3".`)
	}
	return n, nil
}

// search gives the states of a code about a subject, each as it was stored.
func (s *stateBase) search(r *http.Request, x *exchange, a appstate.Asker) (answer, error) {
	code, subject, err := stateQuery(r, s.g.d.Base)
	if err != nil {
		return answer{}, err
	}
	found, err := s.states.Search(r.Context(), a, code, subject)
	if err != nil {
		return answer{}, err
	}
	type entry struct {
		FullURL  string            `json:"fullUrl"`
		Resource json.RawMessage   `json:"resource"`
		Search   map[string]string `json:"search"`
	}
	bundle := struct {
		ResourceType string              `json:"resourceType"`
		Type         string              `json:"type"`
		Total        int                 `json:"total"`
		Link         []map[string]string `json:"link"`
		Entry        []entry             `json:"entry,omitempty"`
	}{"Bundle", "searchset", len(found), []map[string]string{{"relation": "self", "url": s.base + "/" + appstate.Type + "?" + r.URL.RawQuery}}, nil}
	e := x.stateEvent(r, audit.Success)
	for _, st := range found {
		ref := fhir.Reference{Type: appstate.Type, ID: st.ID}
		bundle.Entry = append(bundle.Entry, entry{s.base + "/" + ref.String(), st.JSON, map[string]string{"mode": "match"}})
		e.Delivered = append(e.Delivered, ref.String())
		e.Patient = st.Patient()
	}
	e.Count = len(found)
	body, err := json.Marshal(bundle)
	if err != nil {
		return answer{}, err
	}
	if err := s.g.d.Recorder.Record(r.Context(), e); err != nil {
		return answer{}, errs.Wrap(err, errs.Unavailable, "audit-unavailable", "The access could not be recorded and is refused.")
	}
	return answer{status: http.StatusOK, body: body}, nil
}

// stateQuery reads the two parameters of a search (APS-01).
func stateQuery(r *http.Request, base string) (code, subject string, err error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", "", errs.New(errs.Invalid, "app-state-query", "The query cannot be read.")
	}
	missing, about := q["subject:missing"], q["subject"]
	codes := q["code"]
	delete(q, "subject:missing")
	delete(q, "subject")
	delete(q, "code")
	if len(q) > 0 || len(codes) != 1 || len(missing)+len(about) != 1 || len(missing) == 1 && missing[0] != "true" || !strings.Contains(codes[0], "|") {
		return "", "", errs.New(errs.Invalid, "app-state-query", "Search by code=SYSTEM|CODE and either subject=ABSOLUTE-REFERENCE or subject:missing=true.")
	}
	if len(about) == 1 {
		var ok bool
		if subject, ok = appstate.Subject(about[0], base); !ok {
			return "", "", errs.New(errs.Invalid, "app-state-query", "subject is no absolute reference to a person at this server's FHIR base.")
		}
	}
	return codes[0], subject, nil
}

// stateEvent is the event of a search or a refusal. The query is left out: it may
// name a person.
func (x *exchange) stateEvent(r *http.Request, outcome audit.Outcome) audit.Event {
	e := x.origin
	e.Time, e.Kind, e.Action, e.Outcome = x.g.d.Clock.Now(), audit.FHIRSearch, "E", outcome
	e.Resource.Type = appstate.Type
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		e.Kind = audit.FHIRWrite
		e.Action = map[string]string{http.MethodPost: "C", http.MethodPut: "U", http.MethodDelete: "D"}[r.Method]
	}
	return e
}

// stateRefused records a refusal and gives the error to answer with.
func (x *exchange) stateRefused(r *http.Request, failure error) error {
	e := x.stateEvent(r, audit.MinorFailure)
	e.Reason = errs.As(failure).Code
	if errs.Is(failure, errs.Forbidden) {
		e.Kind = audit.FHIRRefused
	}
	if err := x.g.d.Recorder.Record(r.Context(), e); err != nil {
		return errs.Wrap(err, errs.Unavailable, "audit-unavailable", "The access could not be recorded and is refused.")
	}
	return failure
}
