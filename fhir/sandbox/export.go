package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// exportPath is where export jobs live below the base; no resource type
// begins with a small letter.
const exportPath = "bulk"

// maxJobs is how many export jobs are kept; the oldest goes first.
const maxJobs = 64

// exportJobs are the running and finished bulk exports.
type exportJobs struct {
	mu   sync.Mutex
	byID map[string]*exportJob
	ids  []string // oldest first
}

// exportJob is one bulk export: a snapshot, rendered when it is downloaded.
type exportJob struct {
	request string
	at      time.Time
	types   []string // sorted
	files   map[string][]*version
	asked   bool // a status request was answered
}

// chooser gives the records that an export is about.
type chooser func(patients []string) ([]*record, error)

// exportAll chooses every record: the system-level export.
func (s *server) exportAll() chooser {
	return func([]string) ([]*record, error) {
		var out []*record
		for _, name := range s.cat.names {
			out = append(out, s.store.live(name)...)
		}
		return out, nil
	}
}

// exportPatients chooses what concerns these patients, or those of them that
// the parameter patient names.
func (s *server) exportPatients(all []*record) chooser {
	return func(wanted []string) ([]*record, error) {
		patients := all
		if len(wanted) > 0 {
			patients = nil
			for _, text := range wanted {
				ref, ok := fhir.ParseReference(localReference(s.base+"/", text))
				rec := s.store.find(ref.Type, ref.ID)
				if !ok || !slices.Contains(all, rec) {
					return nil, badRequest("patient: %q is not among the patients of this export", text)
				}
				patients = append(patients, rec)
			}
		}
		return s.about(patients), nil
	}
}

// exportGroup starts the export of a Group's members.
func (s *server) exportGroup(req *request, id string) (response, error) {
	group := s.store.find("Group", id)
	if group == nil || group.deleted() {
		return response{}, notFound("Group/%s is not known", id)
	}
	var members []*record
	member := group.typ.byName["member"].index
	for i := range group.values {
		if v := &group.values[i]; v.param == member {
			if r := s.target(v.a, "Patient"); r != nil && !r.deleted() {
				members = append(members, r)
			}
		}
	}
	return s.exportStart(req, s.exportPatients(members))
}

// exportStart answers a kick-off request (Bulk Data Access 2.0, "Bulk Data
// Kick-off Request").
func (s *server) exportStart(req *request, choose chooser) (response, error) {
	if !req.prefers("respond-async") {
		return response{}, badRequest("an export needs the header Prefer: respond-async")
	}
	params, err := req.operationParameters()
	if err != nil {
		return response{}, err
	}
	format := strings.ReplaceAll(params.Get("_outputFormat"), " ", "+")
	switch format {
	case "", "ndjson", "application/ndjson", mediaNDJSON:
	default:
		return response{}, notSupported("_outputFormat %q: only NDJSON is written", format)
	}
	for name := range params {
		switch name {
		case "_type", "_since", "_typeFilter", "_outputFormat", "patient":
		default:
			if req.prefers("handling=strict") {
				return response{}, notSupported("the export parameter %q is not supported", name)
			}
		}
	}
	sel, err := s.selection(params)
	if err != nil {
		return response{}, err
	}
	recs, err := choose(params["patient"])
	if err != nil {
		return response{}, err
	}
	job := &exportJob{request: s.base + "/" + strings.Join(req.path, "/"), at: s.store.now().UTC(), files: make(map[string][]*version)}
	if len(req.query) > 0 {
		job.request += "?" + req.query.Encode()
	}
	for _, r := range sel.apply(recs) {
		if job.files[r.typ.name] == nil {
			job.types = append(job.types, r.typ.name)
		}
		job.files[r.typ.name] = append(job.files[r.typ.name], r.current())
	}
	slices.Sort(job.types)
	res := response{status: http.StatusAccepted}
	res.set("Content-Location", s.base+"/"+exportPath+"/"+s.jobs.add(s.newID(), job))
	return res, nil
}

func (j *exportJobs) add(id string, job *exportJob) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.byID == nil {
		j.byID = make(map[string]*exportJob)
	}
	j.byID[id] = job
	if j.ids = append(j.ids, id); len(j.ids) > maxJobs {
		delete(j.byID, j.ids[0])
		j.ids = j.ids[1:]
	}
	return id
}

// exportJob answers status, cancel and file requests of an export.
func (s *server) exportJob(req *request) (response, error) {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	if len(req.path) < 2 || len(req.path) > 3 || s.jobs.byID[req.path[1]] == nil {
		return response{}, notFound("this export is not known")
	}
	id := req.path[1]
	job := s.jobs.byID[id]
	switch {
	case req.method == http.MethodDelete && len(req.path) == 2:
		delete(s.jobs.byID, id)
		s.jobs.ids = slices.DeleteFunc(s.jobs.ids, func(other string) bool { return other == id })
		return response{status: http.StatusAccepted}, nil
	case req.method != http.MethodGet:
		return response{}, errMethod
	case len(req.path) == 3:
		return job.file(req.path[2])
	}
	return s.exportStatus(id, job)
}

// exportStatus answers a status request. The first one always says "in
// progress", so that every client has to poll.
func (s *server) exportStatus(id string, job *exportJob) (response, error) {
	if !job.asked {
		job.asked = true
		res := response{status: http.StatusAccepted}
		res.set("X-Progress", "in progress")
		res.set("Retry-After", "1")
		return res, nil
	}
	type file struct {
		Type  string `json:"type"`
		URL   string `json:"url"`
		Count int    `json:"count"`
	}
	manifest := struct {
		TransactionTime     string `json:"transactionTime"`
		Request             string `json:"request"`
		RequiresAccessToken bool   `json:"requiresAccessToken"`
		Output              []file `json:"output"`
		Error               []file `json:"error"`
	}{job.at.Format(instantFormat), job.request, true, []file{}, []file{}}
	for _, name := range job.types {
		address := s.base + "/" + exportPath + "/" + id + "/" + name + ".ndjson"
		manifest.Output = append(manifest.Output, file{name, address, len(job.files[name])})
	}
	body, err := json.Marshal(manifest)
	return response{status: http.StatusOK, media: "application/json", body: body}, err
}

// file renders one NDJSON file: one resource a line.
func (job *exportJob) file(name string) (response, error) {
	versions := job.files[strings.TrimSuffix(name, ".ndjson")]
	if versions == nil || !strings.HasSuffix(name, ".ndjson") {
		return response{}, notFound("this export has no file %s", name)
	}
	var body []byte
	for _, v := range versions {
		from := len(body)
		body = v.appendJSON(body)
		for i := from; i < len(body); i++ {
			// Outside strings a line end is white space; inside it is escaped.
			if body[i] == '\n' || body[i] == '\r' {
				body[i] = ' '
			}
		}
		body = append(body, '\n')
	}
	return response{status: http.StatusOK, media: mediaNDJSON, body: body}, nil
}
