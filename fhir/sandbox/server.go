package sandbox

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/ids"
)

// Config says what the server starts with.
type Config struct {
	// BaseURL is the address under which clients see the server, such as
	// http://localhost:8081/fhir: used in Location, Bundle.link and fullUrl.
	BaseURL string
	// Now is the clock, UTC. Required.
	Now func() time.Time
	// Seed is the initial records. Their bytes are kept, not copied: the
	// caller must not change them afterwards.
	Seed []Resource
	// Log receives one debug line per request, without ids or parameters.
	// Nil discards them.
	Log *slog.Logger
}

// Resource is one FHIR resource as exact JSON bytes. JSON must contain the
// same resourceType and id.
type Resource struct {
	Type, ID string
	JSON     []byte
}

const (
	maxBody     = 64 << 20 // bytes of a request
	mediaJSON   = "application/fhir+json"
	mediaPatch  = "application/json-patch+json"
	mediaNDJSON = "application/fhir+ndjson"
)

// server answers FHIR requests from its store.
type server struct {
	base       string // BaseURL without a trailing slash
	path       string // the path of base
	cat        *catalogue
	store      *store
	jobs       exportJobs
	capability []byte
	newID      func() string
	log        *slog.Logger
}

// New loads the seed and returns the handler to be mounted at the path of
// BaseURL. The handler sees full paths (/fhir/Patient/x) and strips the base
// path itself. It fails when the configuration is incomplete or a seed
// resource is malformed, of an unknown type, or there twice.
func New(cfg Config) (http.Handler, error) {
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("sandbox: BaseURL %q is not an absolute URL", cfg.BaseURL)
	}
	if cfg.Now == nil {
		return nil, errors.New("sandbox: Now is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cat, err := loadCatalogue()
	if err != nil {
		return nil, err
	}
	st, err := newStore(cfg, cat)
	if err != nil {
		return nil, err
	}
	return &server{
		base: cfg.BaseURL, path: base.Path, cat: cat, store: st, log: cfg.Log,
		newID:      ids.Source{}.ID,
		capability: capabilityStatement(cfg.BaseURL, cat, cfg.Now()),
	}, nil
}

// request is one FHIR interaction: an HTTP request, or an entry of a batch or
// transaction.
type request struct {
	method string
	path   []string // below the base
	query  url.Values
	header http.Header // conditions and preferences
	media  string      // media type of body, without parameters
	body   []byte
	native bool // a Binary is wanted in its own media type
}

// prefers reports whether the Prefer header asks for it (RFC 7240).
func (r *request) prefers(what string) bool {
	for _, line := range r.header.Values("Prefer") {
		for p := range strings.FieldsFuncSeq(line, func(c rune) bool { return c == ',' || c == ';' }) {
			if strings.TrimSpace(p) == what {
				return true
			}
		}
	}
	return false
}

// writes reports whether the request may change a record.
func (r *request) writes() bool {
	switch r.method {
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	case http.MethodPost:
		return len(r.path) == 1 && r.path[0] != "_search" && !strings.HasPrefix(r.path[0], "$")
	}
	return false
}

// response is the answer to a request.
type response struct {
	status int
	header http.Header
	media  string // empty means FHIR JSON
	body   []byte
	rec    *record // what a write stored
}

// set adds a header field.
func (r *response) set(name, value string) {
	if r.header == nil {
		r.header = make(http.Header)
	}
	r.header.Set(name, value)
}

// ServeHTTP answers one HTTP request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, err := s.request(w, r)
	var res response
	if err != nil {
		res = failed(err)
	} else {
		res = s.handle(req)
	}
	s.log.DebugContext(r.Context(), "sandbox request", "method", r.Method, "status", res.status)
	for name, values := range res.header {
		w.Header()[name] = values
	}
	if res.media == "" {
		res.media = mediaJSON + "; charset=utf-8"
	}
	if len(res.body) > 0 {
		w.Header().Set("Content-Type", res.media)
	}
	w.WriteHeader(res.status)
	// The client may be gone; there is nobody to tell.
	_, _ = w.Write(res.body)
}

// request reads an HTTP request into a value.
func (s *server) request(w http.ResponseWriter, r *http.Request) (*request, error) {
	rest, ok := strings.CutPrefix(r.URL.Path, s.path)
	if !ok || rest != "" && rest[0] != '/' {
		return nil, notFound("the FHIR base is %s", s.base)
	}
	req := &request{method: r.Method, header: r.Header}
	if req.method == http.MethodHead {
		req.method = http.MethodGet // net/http drops the body
	}
	if rest = strings.Trim(rest, "/"); rest != "" {
		req.path = strings.Split(rest, "/")
	}
	var err error
	if req.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return nil, badRequest("the query is malformed")
	}
	if req.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too-long", "the body could not be read or exceeds %d bytes", maxBody)
	}
	if err := req.negotiate(); err != nil {
		return nil, err
	}
	return req, nil
}

// negotiate reads a form and refuses what is not JSON (D15).
func (r *request) negotiate() error {
	if content := r.header.Get("Content-Type"); content != "" {
		media, _, err := mime.ParseMediaType(content)
		if err != nil {
			return refuse(http.StatusUnsupportedMediaType, "not-supported", "Content-Type is malformed")
		}
		r.media = media
	}
	switch {
	case len(r.body) == 0:
	case r.media == "application/x-www-form-urlencoded" && r.isSearch():
		form, err := url.ParseQuery(string(r.body))
		if err != nil {
			return badRequest("the form is malformed")
		}
		for name, values := range form {
			r.query[name] = append(r.query[name], values...)
		}
	case r.media == "" || isJSON(r.media) || r.media == mediaPatch && r.method == http.MethodPatch:
	default:
		return refuse(http.StatusUnsupportedMediaType, "not-supported", "Content-Type %s: only JSON is spoken here", r.media)
	}
	format := strings.ReplaceAll(r.query.Get("_format"), " ", "+")
	r.query.Del("_format")
	r.query.Del("_pretty")
	if format != "" && !isJSON(format) {
		return refuse(http.StatusNotAcceptable, "not-supported", "_format %q: only JSON is spoken here", format)
	}
	r.native = format == "" && !r.acceptsJSON()
	if r.native && !r.isBinaryRead() {
		return refuse(http.StatusNotAcceptable, "not-supported", "only JSON is spoken here")
	}
	return nil
}

func (r *request) isSearch() bool {
	return r.method == http.MethodPost && len(r.path) > 0 && r.path[len(r.path)-1] == "_search"
}

// isBinaryRead reports a request that may ask for the content of a Binary in
// its own media type (FHIR R4 binary.html#rest).
func (r *request) isBinaryRead() bool {
	return r.method == http.MethodGet && len(r.path) == 2 && r.path[0] == "Binary"
}

func isJSON(media string) bool {
	switch media {
	case "json", mediaJSON, "application/json", "text/json", mediaNDJSON, "application/ndjson", "ndjson":
		return true
	}
	return false
}

func (r *request) acceptsJSON() bool {
	accept := r.header.Values("Accept")
	if len(accept) == 0 {
		return true
	}
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, _, _ := strings.Cut(part, ";")
		media = strings.ToLower(strings.TrimSpace(media))
		if media == "" || media == "*/*" || media == "application/*" || isJSON(media) {
			return true
		}
	}
	return false
}

// failed turns an error into its answer.
func failed(err error) response {
	var f *fault
	if !errors.As(err, &f) {
		f = &fault{http.StatusInternalServerError, "exception", err.Error()}
	}
	return response{status: f.status, body: outcome("error", f.code, f.text)}
}
