package rest

import (
	"mime"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

const (
	mediaFHIR  = "application/fhir+json"
	mediaForm  = "application/x-www-form-urlencoded"
	mediaPatch = "application/json-patch+json"
)

// Parse reads a request. It returns
//   - errs.Invalid for what is malformed or has two readings,
//   - errs.NotFound (unknown-type) for a type R4 does not have,
//   - errs.NotSupported for methods and forms that are not offered,
//   - errs.NotAcceptable and errs.UnsupportedMedia for anything but JSON
//     (XML and FHIRPath Patch among it),
//   - errs.TooLarge above the limits of size and number.
//
// HEAD is read as GET (SMART M-07).
func Parse(in Incoming) (Request, error) {
	method, err := methodOf(in)
	if err != nil {
		return Request{}, err
	}
	if len(in.Body) > maxBody {
		return Request{}, errs.New(errs.TooLarge, "body-too-large", "The body is too large.")
	}
	seg, err := segments(in.Path)
	if err != nil {
		return Request{}, err
	}
	query, err := parseQuery(in.RawQuery, searches(method, seg))
	if err != nil {
		return Request{}, err
	}
	var r Request
	plain, _ := takeFormat(query)
	if err := r.route(method, seg, len(plain) > 0); err != nil {
		return Request{}, err
	}
	if err := r.readHeader(in.Header); err != nil {
		return Request{}, err
	}
	form, err := r.readBody(method, in, endsInSearch(seg))
	if err != nil {
		return Request{}, err
	}
	if err := r.setQuery(append(query, form...), in.Header); err != nil {
		return Request{}, err
	}
	return r, nil
}

func endsInSearch(seg []string) bool {
	return len(seg) > 0 && seg[len(seg)-1] == "_search"
}

func methodOf(in Incoming) (string, error) {
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		if len(in.Header.Values(name)) > 0 {
			return "", errs.New(errs.Invalid, "method-override", "Headers that override the method are not taken.")
		}
	}
	switch in.Method {
	case http.MethodHead:
		return http.MethodGet, nil
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return in.Method, nil
	}
	return "", errs.New(errs.NotSupported, "method-unknown", "FHIR has no such method.")
}

// setQuery checks the merged parameters and the representation asked for.
func (r *Request) setQuery(query []Param, h http.Header) error {
	if err := checkRepeated(query); err != nil {
		return err
	}
	rest, format := takeFormat(query)
	if !acceptable(format, h.Values("Accept")) {
		return errs.New(errs.NotAcceptable, "not-acceptable", "Only application/fhir+json is offered.")
	}
	for _, p := range rest {
		if !r.allows(p) {
			return errs.New(errs.Invalid, "parameter-not-allowed", "A query parameter has no meaning for this interaction.")
		}
	}
	r.Query = rest
	return nil
}

// allows reports whether the interaction can have the parameter at all; a
// search or an operation can have any.
func (r *Request) allows(p Param) bool {
	switch r.Interaction {
	case Create, Update, Delete, Patch, Batch, Transaction:
		return false
	case Read, VRead:
		return p.Name == "_summary" || p.Name == "_elements"
	case Capabilities:
		return p.Name == "mode" || p.Name == "_summary" || p.Name == "_elements"
	case HistoryInstance, HistoryType, HistorySystem:
		return p.Name == "_count" || p.Name == "_since" || p.Name == "_at" || p.Name == "_sort" || p.Name == "_summary" || p.Name == "_elements"
	}
	return true
}

// acceptable reports whether JSON satisfies _format, which wins, or the
// Accept headers.
func acceptable(format string, accept []string) bool {
	if format != "" {
		// A plus that was not encoded arrives as a space.
		return format == "json" || jsonMedia(strings.ReplaceAll(format, " ", "+"))
	}
	any := false
	for _, header := range accept {
		for item := range strings.SplitSeq(header, ",") {
			item = strings.TrimSpace(item)
			if item == "" {
				continue
			}
			any = true
			media, params, err := mime.ParseMediaType(item)
			if err != nil || params["q"] == "0" || params["q"] == "0.0" || params["q"] == "0.00" || params["q"] == "0.000" {
				continue
			}
			if media == "*/*" || media == "application/*" || jsonMedia(item) {
				return true
			}
		}
	}
	return !any
}

// jsonMedia reports whether a media type is FHIR R4 JSON in UTF-8.
func jsonMedia(value string) bool {
	media, params, err := mime.ParseMediaType(value)
	if err != nil || media != mediaFHIR && media != "application/json" && media != "text/json" && media != "application/json+fhir" {
		return false
	}
	return utf8Charset(params) && (params["fhirversion"] == "" || strings.HasPrefix(params["fhirversion"], "4.0"))
}

func utf8Charset(params map[string]string) bool {
	return params["charset"] == "" || strings.EqualFold(params["charset"], "utf-8")
}
