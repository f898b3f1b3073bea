package gateway

import (
	"maps"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
)

// DetailScopes is the name under which the event of a permitted request lists,
// separated by blanks, the scopes that let out what left or was changed.
const DetailScopes = "scopes"

// maxDrew bounds how many scopes one event lists.
const maxDrew = 4

// drew are the scopes on which an interaction drew, each once.
type drew struct {
	text  [maxDrew]string
	count int
}

func (d *drew) add(scope string) {
	if scope == "" || d.count == maxDrew || slices.Contains(d.text[:d.count], scope) {
		return
	}
	d.text[d.count] = scope
	d.count++
}

// scopeBy gives the scope by which a resource was permitted, or the word for the
// identity resource and the attachment that need none of their own.
func scopeBy(d access.Decision) string {
	for _, r := range d.Reasons {
		if r.Rule != "scope" {
			continue
		}
		if r.Subject != "" {
			return r.Subject
		}
		return r.Code
	}
	return ""
}

// tellScopes writes into the event of a permitted request what it drew on: grants
// are narrowed later, and the log says what decided then. Where nothing left, they
// are those that speak for the request.
func (a *act) tellScopes(e *audit.Event) {
	list := a.drew.text[:a.drew.count]
	if len(list) == 0 {
		in := a.x.governed(a.req.Type)
		in.Request = &a.req
		list = access.Explain(in, access.Decision{}).Scopes
		list = list[:min(len(list), maxDrew)]
	}
	if len(list) == 0 {
		return
	}
	// The details are shared by all events of the exchange.
	if e.Detail = maps.Clone(e.Detail); e.Detail == nil {
		e.Detail = make(map[string]string, 1)
	}
	e.Detail[DetailScopes] = strings.Join(list, " ")
}
