package rest

import (
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// readHeader reads the conditional headers and Prefer. Other headers have no
// meaning and are not forwarded.
func (r *Request) readHeader(h http.Header) error {
	c := conditions{}
	for _, f := range []struct {
		name string
		into *string
	}{
		{"If-Match", &c.match}, {"If-None-Match", &c.noneMatch},
		{"If-None-Exist", &c.noneExist}, {"If-Modified-Since", &c.modifiedSince},
	} {
		values := h.Values(f.name)
		if len(values) > 1 {
			return errs.New(errs.Invalid, "header-repeated", "A header that may stand only once is repeated.")
		}
		if len(values) == 1 {
			*f.into = strings.TrimSpace(values[0])
		}
	}
	if err := r.setConditions(c); err != nil {
		return err
	}
	for _, value := range h.Values("Prefer") {
		r.Prefer.read(value)
	}
	return nil
}

// conditions are the conditional headers, or their twins in a bundle entry.
type conditions struct {
	match, noneMatch, noneExist, modifiedSince string
}

var errCondHeader = errs.New(errs.Invalid, "condition", "A condition on a version or a date is malformed or has no meaning for this interaction.")

func (r *Request) setConditions(c conditions) error {
	reads := r.Interaction == Read || r.Interaction == VRead
	writes := r.Interaction == Update || r.Interaction == Patch || r.Interaction == Delete ||
		r.Interaction == ConditionalUpdate || r.Interaction == ConditionalPatch || r.Interaction == ConditionalDelete
	if c.match != "" {
		if !writes || !entityTag(c.match) {
			return errCondHeader
		}
		r.IfMatch = c.match
	}
	if !reads && r.method() == http.MethodGet {
		// Browsers add these to any GET they have a copy of; a full answer
		// is always right.
		c.noneMatch, c.modifiedSince = "", ""
	}
	if c.noneMatch != "" {
		if !reads && !(r.Interaction == Update && c.noneMatch == "*") || c.noneMatch != "*" && !entityTag(c.noneMatch) {
			return errCondHeader
		}
		r.IfNoneMatch = c.noneMatch
	}
	if c.modifiedSince != "" {
		t, err := http.ParseTime(c.modifiedSince)
		if !reads || err != nil {
			return errCondHeader
		}
		r.IfModifiedSince = t.UTC().Format(http.TimeFormat)
	}
	if c.noneExist != "" {
		return r.setNoneExist(c.noneExist)
	}
	return nil
}

// setNoneExist reads the search of a conditional create (SMART M-08).
func (r *Request) setNoneExist(text string) error {
	if r.Interaction != Create {
		return errCondHeader
	}
	// Some clients send the search with its question mark.
	params, err := parseQuery(strings.TrimPrefix(text, "?"), false)
	if err != nil {
		return err
	}
	if err := checkRepeated(params); err != nil {
		return err
	}
	params, _ = takeFormat(params)
	if len(params) == 0 {
		return errCondition
	}
	r.IfNoneExist = params
	return nil
}

// entityTag accepts W/"id" and "id".
func entityTag(s string) bool {
	s = strings.TrimPrefix(s, "W/")
	return len(s) > 2 && s[0] == '"' && s[len(s)-1] == '"' && fhir.ValidID(s[1:len(s)-1])
}

// read takes the preferences it knows; RFC 7240 lets a server ignore the
// others.
func (p *Prefer) read(value string) {
	for item := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ';' }) {
		switch item = strings.TrimSpace(item); item {
		case "return=minimal", "return=representation", "return=OperationOutcome":
			p.Return = strings.TrimPrefix(item, "return=")
		case "handling=strict", "handling=lenient":
			p.Handling = strings.TrimPrefix(item, "handling=")
		case "respond-async":
			p.Async = true
		}
	}
}

// String gives the header's value, "" for no preference.
func (p Prefer) String() string {
	var items []string
	if p.Return != "" {
		items = append(items, "return="+p.Return)
	}
	if p.Handling != "" {
		items = append(items, "handling="+p.Handling)
	}
	if p.Async {
		items = append(items, "respond-async")
	}
	return strings.Join(items, ", ")
}
