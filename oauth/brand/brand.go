package brand

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// MaxBytes is the largest bundle that is kept, in bytes.
const MaxBytes = 2 << 20

// Identifier names one brand, as FHIR's Identifier does.
type Identifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value"`
}

// Bundle is what a tenant publishes.
type Bundle struct {
	Tenant string
	// Version counts the changes, from 1.
	Version int
	JSON    []byte
	// Primary names the brand of this very server (BRD-04).
	Primary Identifier
	// Updated is Bundle.timestamp.
	Updated time.Time
}

// ETag is the weak tag of this version (BRD-03). A bundle that was withdrawn and
// published again has another one.
func (b Bundle) ETag() string {
	return `W/"` + strconv.Itoa(b.Version) + "-" + strconv.FormatInt(b.Updated.UnixMicro(), 36) + `"`
}

// resource is a FHIR resource as it was read.
type resource = map[string]any

// draft is a bundle on its way in.
type draft struct {
	root    resource
	entries []entry
}

type entry struct {
	// path is where the resource lies in the bundle.
	path     string
	typ, id  string
	wrapper  resource
	resource resource
}

func (e entry) ref() string { return e.typ + "/" + e.id }

// read takes a bundle apart that the validator has passed.
func read(raw []byte) (draft, error) {
	var root resource
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&root); err != nil {
		return draft{}, errs.Wrap(err, errs.Invalid, "brand-invalid", "The brand bundle is not JSON.")
	}
	d := draft{root: root}
	for i, v := range listOf(root["entry"]) {
		wrapper, _ := v.(resource)
		res, _ := wrapper["resource"].(resource)
		d.entries = append(d.entries, entry{
			path: "Bundle.entry[" + strconv.Itoa(i) + "].resource", typ: text(res["resourceType"]), id: text(res["id"]),
			wrapper: wrapper, resource: res,
		})
	}
	return d, nil
}

func listOf(v any) []any {
	l, _ := v.([]any)
	return l
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// extension is one extension with the path to it.
type extension struct {
	path  string
	value resource
}

// extensions gives those of an element with one url.
func extensions(of resource, path, url string) []extension {
	var out []extension
	for i, v := range listOf(of["extension"]) {
		if x, ok := v.(resource); ok && text(x["url"]) == url {
			out = append(out, extension{path + ".extension[" + strconv.Itoa(i) + "]", x})
		}
	}
	return out
}
