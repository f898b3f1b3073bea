package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/internal/errs"
)

// exportPath is where the jobs and files of bulk exports are reached; no
// resource type begins with a small letter.
const exportPath = "/bulk/"

// mediaNDJSON is the format of export files.
const mediaNDJSON = "application/fhir+ndjson"

// ticket is what the handle of an export link holds: the upstream's address
// of a job, or of one file with the type that it is said to hold.
type ticket struct {
	Address string `json:"a"`
	Type    string `json:"t,omitempty"`
	// Group is the id of the group that the export is of.
	Group   string `json:"g,omitempty"`
	Expires int64  `json:"e"`
}

// operation answers an operation that was permitted.
func (a *act) operation(d access.Decision) (answer, error) {
	if a.req.Operation == "everything" {
		if err := a.understood(); err != nil {
			return answer{}, err
		}
		return a.everything(place{})
	}
	return a.startExport(d)
}

// exportParams are the parameters of an export that are passed on. Others
// could select by what is hidden.
var exportParams = []string{"_type", "_since", "_outputFormat", "_typeFilter"}

// startExport kicks off a bulk export for a client that acts for itself (SMART
// BLK-02, M-19). The decision has narrowed the types.
func (a *act) startExport(d access.Decision) (answer, error) {
	if !a.req.Prefer.Async {
		return answer{}, errs.New(errs.Invalid, "export-async", "An export needs the header Prefer: respond-async.")
	}
	for _, p := range a.req.Query {
		if !slices.Contains(exportParams, p.Name) || p.Modifier != "" || p.Chain != "" {
			return answer{}, errs.New(errs.Invalid, "parameter-not-allowed", "The export parameter "+p.Name+" is not offered.")
		}
		if p.Name == "_typeFilter" {
			if err := a.typeFilter(p.Raw); err != nil {
				return answer{}, err
			}
		}
	}
	if a.req.Type == "Group" {
		if _, err := a.exported(a.req.ID); err != nil {
			return answer{}, err
		}
	}
	send := a.req
	if len(d.Rewrite) == 1 {
		send = send.With(d.Rewrite[0]...)
	}
	send.Prefer = rest.Prefer{Async: true}
	method, address, header, body := send.Upstream()
	res, err := a.x.g.d.Upstream.Do(a.x.ctx, method, address, header, body)
	if err != nil {
		return answer{}, err
	}
	if res.Status != http.StatusAccepted {
		return answer{}, upstreamFault(res.Status)
	}
	job, ok := a.x.g.d.Upstream.Below(res.Header.Get("Content-Location"))
	if !ok {
		return answer{}, upstreamFault(0)
	}
	link, err := a.x.ticketURL(ticket{Address: job, Group: a.req.ID})
	return answer{status: http.StatusAccepted, contentLocation: link}, err
}

// typeFilter judges a filter as the search that it is: no chains, no _has, a
// granted type.
func (a *act) typeFilter(text string) error {
	typ, query, _ := strings.Cut(text, "?")
	search, err := rest.Parse(rest.Incoming{Method: http.MethodGet, Path: "/" + typ, RawQuery: query})
	if err != nil {
		return err
	}
	if search.Interaction != rest.SearchType {
		return errs.New(errs.Invalid, "type-filter", "A _typeFilter is a search on one type.")
	}
	if _, err = a.decide(search); err == nil {
		err = a.x.g.understoodWhole(search)
	}
	return err
}

func (x *exchange) ticketURL(t ticket) (string, error) {
	t.Expires = x.g.d.Clock.Now().Add(handleLife).Unix()
	handle, err := x.seal("export", t)
	return x.g.d.Base + exportPath + handle, err
}

// export answers the status, cancel and file requests of the client that
// started the job (SMART BLK-03, BLK-04).
func (x *exchange) export(w http.ResponseWriter, r *http.Request, handle string) {
	a := &act{x: x, req: rest.Request{Interaction: rest.Operation, Operation: "export"}}
	ans, err := a.exportRequest(r, handle)
	x.finish(w, r, ans, a.conclude(err))
}

func (a *act) exportRequest(r *http.Request, handle string) (answer, error) {
	var t ticket
	if err := a.x.open("export", handle, &t); err != nil || r.URL.RawQuery != "" {
		return answer{}, errAbsent
	}
	if a.x.g.d.Clock.Now().Unix() >= t.Expires || !a.x.system() {
		return answer{}, errAbsent
	}
	switch {
	case t.Type != "" && r.Method == http.MethodGet:
		return a.file(t)
	case t.Type == "" && r.Method == http.MethodGet:
		return a.jobStatus(t)
	case t.Type == "" && r.Method == http.MethodDelete:
		return a.cancel(t)
	}
	return answer{}, errs.New(errs.NotSupported, "method", "This method is not offered at this address.")
}

func (a *act) cancel(t ticket) (answer, error) {
	res, err := a.x.g.d.Upstream.Do(a.x.ctx, http.MethodDelete, t.Address, nil, nil)
	if err != nil {
		return answer{}, err
	}
	if res.Status >= http.StatusMultipleChoices {
		return answer{}, upstreamFault(res.Status)
	}
	return answer{status: http.StatusAccepted}, nil
}

// manifest is the result of an export (Bulk Data Access 2.0). Counts are left
// out: they would count hidden lines.
type manifest struct {
	TransactionTime     string         `json:"transactionTime"`
	Request             string         `json:"request"`
	RequiresAccessToken bool           `json:"requiresAccessToken"`
	Output              []manifestFile `json:"output"`
	Error               []manifestFile `json:"error"`
}

type manifestFile struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

// jobStatus answers a status request; the manifest lists only files of types
// that are granted now, by addresses of ours.
func (a *act) jobStatus(t ticket) (answer, error) {
	if _, err := a.exported(t.Group); err != nil {
		return answer{}, err
	}
	res, err := a.x.g.d.Upstream.Do(a.x.ctx, http.MethodGet, t.Address, http.Header{"Accept": {"application/json"}}, nil)
	if err != nil {
		return answer{}, err
	}
	if res.Status == http.StatusAccepted {
		return answer{status: http.StatusAccepted, retryAfter: "2", progress: "in progress"}, nil
	}
	var theirs manifest
	if res.Status != http.StatusOK {
		return answer{}, upstreamFault(res.Status)
	}
	if json.Unmarshal(res.Body, &theirs) != nil {
		return answer{}, upstreamFault(0)
	}
	below, _ := a.x.g.d.Upstream.Below(theirs.Request)
	ours := manifest{TransactionTime: theirs.TransactionTime, Request: a.x.g.d.Base + below, RequiresAccessToken: true, Output: []manifestFile{}, Error: []manifestFile{}}
	for _, f := range theirs.Output {
		address, ok := a.x.g.d.Upstream.Below(f.URL)
		if !ok || !a.exportable(f.Type) {
			continue
		}
		link, err := a.x.ticketURL(ticket{Address: address, Type: f.Type, Group: t.Group})
		if err != nil {
			return answer{}, err
		}
		ours.Output = append(ours.Output, manifestFile{Type: f.Type, URL: link})
	}
	body, err := json.Marshal(ours)
	return answer{status: http.StatusOK, media: "application/json", body: body}, err
}

// exportable reports whether a type's file may be fetched by this token.
func (a *act) exportable(typ string) bool {
	if access.NeverForApps(typ) || typ == "Consent" {
		return false
	}
	in := a.x.governed(typ)
	in.Request = &rest.Request{Interaction: rest.Operation, Operation: "export", Query: []rest.Param{{Name: "_type", Values: []string{typ}}}}
	return access.Decide(in).Allow
}
