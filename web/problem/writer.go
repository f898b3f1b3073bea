package problem

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// CodeSystem is the code system of cause codes in an OperationOutcome.
const CodeSystem = fhir.Canonical + "/CodeSystem/cause"

// retryAfter is what clients are told to wait, in seconds, when a part is
// down or a limit was met and nothing better is known.
const retryAfter = "5"

// Writer writes errors. It is safe for concurrent use.
type Writer struct {
	// docs is the base of links to explanations; the cause code is added.
	docs string
	log  *slog.Logger
	page func(w http.ResponseWriter, r *http.Request, status int, e *errs.Error)
	dpop []string
	// resource is the address of the metadata of the FHIR base.
	resource string
	rows     map[errs.Kind]row
}

// Config is what a Writer is made of.
type Config struct {
	// Issuer is the public URL of the server, without a trailing slash.
	Issuer string
	// Log takes the causes of unexpected errors; nil drops them.
	Log *slog.Logger
	// Page renders the HTML form; nil gives plain text.
	Page func(w http.ResponseWriter, r *http.Request, status int, e *errs.Error)
	// DPoP are the algorithms that a DPoP proof may be signed with; none offers
	// no tokens that are bound to a key.
	DPoP []string
	// Resource is the URL of the metadata of the FHIR base (RFC 9728), told with
	// each 401 there; empty tells none.
	Resource string
}

// New gives a writer.
func New(c Config) *Writer {
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Writer{docs: c.Issuer + "/docs/errors/", log: log, page: c.Page, dpop: c.DPoP, resource: c.Resource, rows: table()}
}

// Status gives the HTTP status of an error outside the OAuth endpoints.
func (p *Writer) Status(err error) int {
	_, r := p.row(err)
	return r.status
}

// Refusal is how OAuth endpoints refuse (RFC 6749 §5.2).
type Refusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	URI         string `json:"error_uri,omitempty"`
	Code        string `json:"error_code,omitempty"`
}

// OAuth writes the JSON error of RFC 6749 §5.2 with no-store headers, and the
// cause code as error_code: a program may act on it, error_description is for its
// maker. A
// failed client authentication that tried Basic is told so (SMART TOK-14,
// SYM-03).
func (p *Writer) OAuth(w http.ResponseWriter, r *http.Request, err error) {
	e, row := p.begin(w, r, err)
	status := cmp.Or(row.oauthStatus, row.status)
	NoStore(w)
	if e.Kind == errs.InvalidClient && basicTried(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="token", charset="UTF-8"`)
	}
	if e.Kind == errs.Unauthenticated || e.Kind == errs.Forbidden {
		p.challenge(w, r, e, row, "")
	}
	write(w, "application/json", status, Refusal{row.oauth, description(e.Msg), p.link(e), e.Code})
}

// FHIR writes an OperationOutcome whose details.coding is the cause code. A
// 401 carries the Bearer challenge of RFC 6750 §3.
func (p *Writer) FHIR(w http.ResponseWriter, r *http.Request, err error) {
	e, row := p.begin(w, r, err)
	p.demand(w, r, e, row, p.resource)
	write(w, "application/fhir+json", row.status, p.Outcome(e))
}

// Outcome gives the OperationOutcome of an error as a JSON value, for an
// entry of a batch response.
func (p *Writer) Outcome(err error) any {
	e, row := p.row(err)
	one := issue{Severity: "error", Code: row.issue, Diagnostics: e.Msg}
	one.Details.Text = row.title
	one.Details.Coding = []coding{{CodeSystem, e.Code}}
	var at located
	if errors.As(err, &at) {
		one.Expression = at.Elements()
	}
	return struct {
		ResourceType string  `json:"resourceType"`
		Issue        []issue `json:"issue"`
	}{"OperationOutcome", []issue{one}}
}

// located is an error that knows the elements at fault, as FHIRPath
// expressions; that of fhir/codec does.
type located interface{ Elements() []string }

type coding struct {
	System string `json:"system"`
	Code   string `json:"code"`
}

// issue is OperationOutcome.issue.
type issue struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Details  struct {
		Coding []coding `json:"coding"`
		Text   string   `json:"text"`
	} `json:"details"`
	Diagnostics string   `json:"diagnostics"`
	Expression  []string `json:"expression,omitempty"`
}

// Details is a refusal as the APIs of our own tell it (RFC 9457).
type Details struct {
	Type   string `json:"type" jsonschema:"Address of the page that explains the code."`
	Title  string `json:"title"`
	Status int    `json:"status" jsonschema:"The HTTP status."`
	Detail string `json:"detail,omitempty" jsonschema:"What is wrong, for a developer."`
	Code   string `json:"code" jsonschema:"Stable cause code."`
}

// JSON writes problem+json (RFC 9457) for the APIs of our own.
func (p *Writer) JSON(w http.ResponseWriter, r *http.Request, err error) {
	e, row := p.begin(w, r, err)
	p.demand(w, r, e, row, "")
	write(w, "application/problem+json", row.status, Details{p.link(e), row.title, row.status, e.Msg, e.Code})
}

// HTML hands the error to the page renderer.
func (p *Writer) HTML(w http.ResponseWriter, r *http.Request, err error) {
	e, row := p.begin(w, r, err)
	if p.page != nil {
		p.page(w, r, row.status, e)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(row.status)
	_, _ = w.Write([]byte(row.title + "\n" + e.Msg + "\n"))
}

// begin finds the row of an error, logs what the operator must know and sets
// the headers that every answer of a failure has.
func (p *Writer) begin(w http.ResponseWriter, r *http.Request, err error) (*errs.Error, row) {
	e, row := p.row(err)
	p.note(w, r, e)
	p.retry(w, e)
	w.Header().Set("Cache-Control", "no-store")
	return e, row
}

// row finds the row of an error. A kind without one is shown as a fault of
// our own.
func (p *Writer) row(err error) (*errs.Error, row) {
	e := errs.As(err)
	if e == nil {
		e = errs.New(errs.Internal, "unexpected", "An unexpected error occurred.")
	}
	r, known := p.rows[e.Kind]
	if !known {
		return errs.Wrap(e, errs.Internal, "unexpected", "An unexpected error occurred."), p.rows[errs.Internal]
	}
	return e, r
}

// note logs what the operator must know: faults of our own and of the parts
// we need, with their cause.
func (p *Writer) note(w http.ResponseWriter, r *http.Request, e *errs.Error) {
	switch e.Kind {
	case errs.Internal, errs.Unavailable, errs.Upstream:
		p.log.ErrorContext(r.Context(), "request failed", "request_id", w.Header().Get("X-Request-Id"), "method", r.Method, "path", place(r.URL.Path),
			"kind", string(e.Kind), "code", e.Code, "cause", e.Cause)
	}
}

// place gives the part of a path that names no person: what follows its first
// two segments are ids, and the id of a patient is health data.
func place(path string) string {
	if parts := strings.SplitAfterN(path, "/", 4); len(parts) == 4 {
		return parts[0] + parts[1] + parts[2] + "…"
	}
	return path
}

// waiting is an error that knows when to try again.
type waiting interface{ Wait() time.Duration }

// bounded is an error that knows which limit was met, for the header fields
// RateLimit-Policy and RateLimit.
type bounded interface{ Fields() (policy, state string) }

func (p *Writer) retry(w http.ResponseWriter, e *errs.Error) {
	var over bounded
	if errors.As(e, &over) {
		policy, state := over.Fields()
		w.Header().Set("RateLimit-Policy", policy)
		w.Header().Set("RateLimit", state)
	}
	var known waiting
	if errors.As(e, &known) && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(known.Wait().Seconds())))))
	}
	if (e.Kind == errs.Unavailable || e.Kind == errs.RateLimited) && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", retryAfter)
	}
}

func (p *Writer) link(e *errs.Error) string {
	if e.Code == "" {
		return ""
	}
	return p.docs + e.Code
}

// description keeps the characters that RFC 6749 §5.2 allows.
func description(msg string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return -1
		}
		return c
	}, msg)
}

func basicTried(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Basic")
}

// NoStore sets the headers of RFC 6749 §5.1 (SMART TOK-09).
func NoStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}

func write(w http.ResponseWriter, media string, status int, body any) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
