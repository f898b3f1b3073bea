package gateway

import (
	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
)

// stepUp refuses a request for which the client's registration asks for a
// stronger or more recent log-in than the grant's (RFC 9470).
func (a *act) stepUp() error {
	if len(a.x.bearer.Client.StepUp) == 0 {
		return nil
	}
	typ := a.req.Type
	if typ == rest.AnyType {
		typ = ""
	}
	d := a.x.bearer.Client.Demands(typ, opsOf(a.req.Interaction))
	if a.x.system() || d.Met(a.x.bearer.Grant, a.x.g.d.Clock.Now()) {
		return nil
	}
	a.reason = access.Reason{Rule: "step-up", Code: "log-in-insufficient", Subject: a.req.Type}
	return errs.Wrap(d, errs.InsufficientLogIn, "log-in-insufficient",
		"This request needs a stronger or more recent log-in; ask for authorization again with the acr_values and max_age of the challenge.")
}

// proven reports whether a resource may leave as far as the log-in behind the grant is
// concerned: what people are asked about apart may need a stronger or a more recent one.
func (a *act) proven(res *fhir.Resource) bool {
	if a.x.g.d.Restricted == nil || a.x.system() {
		return true
	}
	d := a.x.g.d.Restricted(a.x.in.Grant.Capacity.Kind)
	in := a.x.governed(res.Type)
	if d.Met(a.x.bearer.Grant, a.x.g.d.Clock.Now()) || len(in.Topics(res)) == 0 {
		return true
	}
	a.reason = access.Reason{Rule: "step-up", Code: "log-in-insufficient", Subject: res.Type}
	a.unproven = errs.Wrap(d, errs.InsufficientLogIn, "log-in-insufficient",
		"This resource needs a stronger or more recent log-in; ask for authorization again with the acr_values and max_age of the challenge.")
	return false
}

// opsOf gives the operations that an interaction may come to.
func opsOf(i rest.Interaction) scope.Ops {
	switch i {
	case rest.Read, rest.VRead, rest.HistoryInstance:
		return scope.Read
	case rest.Create:
		return scope.Create
	case rest.Update, rest.ConditionalUpdate:
		// Either may create what is not there.
		return scope.Update | scope.Create
	case rest.Patch, rest.ConditionalPatch:
		return scope.Update
	case rest.Delete, rest.ConditionalDelete:
		return scope.Delete
	}
	return scope.Read | scope.Search
}
