package gateway

import (
	"maps"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// WouldDeny is the detail of an audit event that lists, separated by blanks,
// what rules that are only audited would have refused: "rule:code", each once.
const WouldDeny = "would_deny"

// maxWould bounds how many different refusals one event lists.
const maxWould = 20

// governed gives what a decision about a type starts from: the rules as
// strictly as they are set. The registers that Mandate keeps itself are judged
// by every rule.
func (x *exchange) governed(typ string) access.Input {
	in := x.in
	if !fhirapi.Owns(typ) && !access.NeverForApps(typ) {
		in.Modes = x.g.d.Modes
	}
	return in
}

// notice keeps what would have been refused.
func (a *act) notice(d access.Decision) {
	for _, r := range d.WouldDeny {
		text := r.Rule + ":" + r.Code
		if len(a.would) < maxWould && !slices.Contains(a.would, text) {
			a.would = append(a.would, text)
		}
	}
}

// tellWould writes what would have been refused into the event.
func (a *act) tellWould(e *audit.Event) {
	if len(a.would) == 0 {
		return
	}
	// The details are shared by all events of the exchange.
	e.Detail = maps.Clone(e.Detail)
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	e.Detail[WouldDeny] = strings.Join(a.would, " ")
}
