package rest

import (
	"encoding/json"
	"strings"

	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// readBundle reads the entries of a batch or transaction, each as strictly as
// a request of its own (SMART M-13). One entry that cannot be read refuses
// the whole.
func (r *Request) readBundle(body []byte) error {
	b, err := view.Entries(body)
	if err != nil {
		return err
	}
	switch b.Type {
	case "batch":
		r.Interaction = Batch
	case "transaction":
		r.Interaction = Transaction
	default:
		return errs.New(errs.Invalid, "bundle-type", "Only a batch or a transaction can be sent to the base.")
	}
	if len(b.Entries) > maxEntries {
		return errs.New(errs.TooLarge, "bundle-too-many", "The bundle has too many entries.")
	}
	for _, e := range b.Entries {
		entry, err := parseEntry(e)
		if err != nil {
			return err
		}
		r.Entries = append(r.Entries, entry)
	}
	return nil
}

var (
	errEntry    = errs.New(errs.Invalid, "entry", "An entry of the bundle has no usable request.")
	errEntryURL = errs.New(errs.Invalid, "entry-url", "The address in an entry must be relative to the base, and its fullUrl an absolute address or a urn.")
)

func parseEntry(e view.Entry) (Entry, error) {
	method, address, cond, err := entryRequest(e)
	if err != nil {
		return Entry{}, err
	}
	path, query, _ := strings.Cut(address, "?")
	if path == "" || path[0] == '/' || strings.ContainsAny(address, "#\\") || !fullURL(e.FullURL) {
		return Entry{}, errEntryURL
	}
	seg, err := segments("/" + path)
	if err != nil {
		return Entry{}, err
	}
	params, err := parseQuery(query, searches(method, seg))
	if err != nil {
		return Entry{}, err
	}
	var r Request
	plain, _ := takeFormat(params)
	if err := r.route(method, seg, len(plain) > 0); err != nil {
		return Entry{}, err
	}
	if r.Interaction == Batch || r.Interaction == Patch || r.Interaction == ConditionalPatch || endsInSearch(seg) {
		return Entry{}, errs.New(errs.NotSupported, "entry-interaction", "This interaction is not offered inside a bundle.")
	}
	if err := r.setConditions(cond); err != nil {
		return Entry{}, err
	}
	if err := r.setQuery(params, nil); err != nil {
		return Entry{}, err
	}
	if err := r.setEntryResource(method, e.Resource); err != nil {
		return Entry{}, err
	}
	return Entry{FullURL: e.FullURL, Request: r}, nil
}

func (r *Request) setEntryResource(method string, resource json.RawMessage) error {
	if method == "POST" || method == "PUT" {
		if resource != nil {
			return r.setResource(resource)
		}
		if r.Interaction == Operation {
			return nil
		}
		return errEntry
	}
	if resource != nil {
		return errs.New(errs.Invalid, "body-not-allowed", "An entry that reads or deletes cannot have a resource.")
	}
	return nil
}

// entryRequest reads the request member of an entry.
func entryRequest(e view.Entry) (method, address string, c conditions, err error) {
	if e.Request == nil || e.Response != nil {
		return "", "", c, errEntry
	}
	members, err := view.Members(e.Request)
	if err != nil {
		return "", "", c, err
	}
	into := map[string]*string{
		"method": &method, "url": &address, "ifMatch": &c.match, "ifNoneMatch": &c.noneMatch,
		"ifNoneExist": &c.noneExist, "ifModifiedSince": &c.modifiedSince,
	}
	for _, m := range members {
		if target := into[m.Name]; target == nil || m.Value[0] != '"' || json.Unmarshal(m.Value, target) != nil {
			return "", "", c, errEntry
		}
	}
	if c.modifiedSince != "" {
		// A bundle writes an instant where HTTP writes a date.
		if c.modifiedSince, err = httpDate(c.modifiedSince); err != nil {
			return "", "", c, err
		}
	}
	method, err = methodOf(Incoming{Method: method})
	return method, address, c, err
}

func fullURL(s string) bool {
	if s == "" {
		return true
	}
	known := false
	for _, scheme := range []string{"urn:uuid:", "urn:oid:", "http://", "https://"} {
		known = known || strings.HasPrefix(s, scheme)
	}
	return known && len(s) <= maxPath && plainText(s) && !strings.ContainsAny(s, " \\\"<>")
}
