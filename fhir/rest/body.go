package rest

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// readBody reads the body that the interaction has; form holds the search
// parameters of a posted search.
func (r *Request) readBody(method string, in Incoming, posted bool) (form []Param, err error) {
	if slices.ContainsFunc(in.Header.Values("Content-Encoding"), func(v string) bool { return !strings.EqualFold(v, "identity") }) {
		return nil, errs.New(errs.UnsupportedMedia, "content-encoding", "An encoded body is not taken.")
	}
	optional := r.Interaction == Operation && method == "POST"
	switch {
	case method == "GET" || method == "DELETE" || optional && len(in.Body) == 0:
		if len(in.Body) > 0 {
			return nil, errs.New(errs.Invalid, "body-not-allowed", "This request cannot have a body.")
		}
		return nil, nil
	case posted:
		if len(in.Body) == 0 {
			return nil, nil
		}
		if err := r.media(in.Header, mediaForm); err != nil {
			return nil, err
		}
		return parseQuery(string(in.Body), true)
	case r.Interaction == Patch || r.Interaction == ConditionalPatch:
		if err := r.media(in.Header, mediaPatch); err != nil {
			return nil, err
		}
		r.Patch, err = parsePatch(in.Body)
		return nil, err
	}
	if err := r.media(in.Header, mediaFHIR); err != nil {
		return nil, err
	}
	if r.Interaction == Batch {
		return nil, r.readBundle(in.Body)
	}
	return nil, r.setResource(in.Body)
}

// media checks the one Content-Type header.
func (r *Request) media(h http.Header, want string) error {
	values := h.Values("Content-Type")
	if len(values) > 1 {
		return errs.New(errs.Invalid, "header-repeated", "A header that may stand only once is repeated.")
	}
	if len(values) == 1 {
		media, params, err := mime.ParseMediaType(values[0])
		if want == mediaFHIR && jsonMedia(values[0]) || err == nil && media == want && utf8Charset(params) {
			return nil
		}
	}
	return errs.New(errs.UnsupportedMedia, "content-type", "The body must be "+want+".")
}

// setResource takes a resource that must be the one the address names.
func (r *Request) setResource(body []byte) error {
	res, err := view.Scan(body)
	if err != nil {
		return err
	}
	if r.Interaction != Operation && res.Type != r.Type {
		return errs.New(errs.Invalid, "type-mismatch", "The body is of another type than the address says.")
	}
	if r.Interaction == Update && res.ID != r.ID {
		return errs.New(errs.Invalid, "id-mismatch", "The body has another id than the address.")
	}
	r.Body, r.Resource = body, &res
	return nil
}

var errPatch = errs.New(errs.Invalid, "patch-malformed", "The body is not a JSON Patch.")

// parsePatch reads RFC 6902. Repeated members are refused: two readers could
// patch different elements.
func parsePatch(body []byte) ([]PatchOp, error) {
	items, err := view.Items(body)
	if err != nil {
		return nil, err
	}
	var ops []PatchOp
	for _, item := range items {
		members, err := view.Members(item)
		if err != nil {
			return nil, err
		}
		op, err := patchOp(members)
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	if len(ops) == 0 || len(ops) > maxEntries {
		return nil, errPatch
	}
	return ops, nil
}

func patchOp(members []view.Member) (op PatchOp, err error) {
	hasPath, hasFrom := false, false
	for _, m := range members {
		switch m.Name {
		case "op":
			err = json.Unmarshal(m.Value, &op.Op)
		case "path":
			hasPath, err = true, json.Unmarshal(m.Value, &op.Path)
		case "from":
			hasFrom, err = true, json.Unmarshal(m.Value, &op.From)
		case "value":
			op.Value = m.Value
		}
		if err != nil {
			return PatchOp{}, errPatch
		}
	}
	needsValue, needsFrom := false, false
	switch op.Op {
	case "add", "replace", "test":
		needsValue = true
	case "move", "copy":
		needsFrom = true
	case "remove":
	default:
		return PatchOp{}, errPatch
	}
	if !hasPath || !pointer(op.Path) || needsFrom != hasFrom || !pointer(op.From) || needsValue != (op.Value != nil) {
		return PatchOp{}, errPatch
	}
	return op, nil
}

// pointer accepts a JSON pointer (RFC 6901).
func pointer(s string) bool {
	if s == "" {
		return true
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '~' && (i+1 == len(s) || s[i+1] != '0' && s[i+1] != '1') {
			return false
		}
	}
	return s[0] == '/' && plainText(s)
}

// encodePatch writes the operations anew; values byte for byte.
func encodePatch(ops []PatchOp) []byte {
	out := []byte{'['}
	for i, op := range ops {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '{')
		out = appendMember(out, "op", quote(op.Op))
		out = appendMember(append(out, ','), "path", quote(op.Path))
		if op.Op == "move" || op.Op == "copy" {
			out = appendMember(append(out, ','), "from", quote(op.From))
		}
		if op.Value != nil {
			out = appendMember(append(out, ','), "value", op.Value)
		}
		out = append(out, '}')
	}
	return append(out, ']')
}

func appendMember(dst []byte, name string, value []byte) []byte {
	return append(append(append(dst, quote(name)...), ':'), value...)
}

// quote writes a JSON string; a string always encodes.
func quote(s string) []byte {
	out, _ := json.Marshal(s)
	return out
}
