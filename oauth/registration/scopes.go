package registration

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/oauth"
)

// checkScopes judges the ceiling: it must be readable, of types and categories
// that are known here, and of the level that the client acts at. Only an operator gives scopes
// of the administration API, and only to a service that has keys.
func (r Rules) checkScopes(c oauth.Client, f *Faults) {
	if _, err := scope.Parse(c.Scopes, scope.Limits{}); err != nil {
		f.add("scope", "is too long, too many, or holds a character that RFC 6749 does not allow")
		return
	}
	tokens := strings.Fields(c.Scopes)
	for i, token := range tokens {
		at := "scope[" + strconv.Itoa(i) + "]"
		if oauth.AdminScope(token) {
			switch {
			case !r.Operator || c.Kind != oauth.ClientBackend:
				f.add(at, "is for services with keys that an operator registers")
			case token == oauth.ScopeAdminAudit && slices.ContainsFunc(tokens, func(other string) bool { return other != token && oauth.AdminScope(other) }):
				f.add(at, "goes with no other scope of the administration API: who audits does not operate")
			}
			continue
		}
		if !grantable(c.ForItself(), token) {
			f.add(at, "is no scope that this client could ever be granted")
		}
	}
}

// Grantable parts a scope text into what a client could be granted here, in the
// order given, and what it never could: what cannot be read, unknown types and
// categories, and the levels of others. itself says that the client acts for
// itself: then it has system scopes and nothing else (SMART SCP-13, BS-01).
func Grantable(itself bool, text string) (kept string, dropped []string) {
	var keep []string
	for _, token := range strings.Fields(text) {
		if grantable(itself, token) {
			keep = append(keep, token)
		} else {
			dropped = append(dropped, token)
		}
	}
	return strings.Join(keep, " "), dropped
}

func grantable(itself bool, token string) bool {
	if oauth.AdminScope(token) {
		return itself
	}
	one, err := scope.Parse(token, scope.Limits{})
	if err != nil || len(one.Others) > 0 {
		return false
	}
	if len(one.Clinical) == 0 {
		return !itself
	}
	s := one.Clinical[0]
	if (s.Level == scope.System) != itself || s.Type != scope.AnyType && !scope.KnownType(s.Type) {
		return false
	}
	for _, p := range s.Params {
		if s.Type == scope.AnyType || !scope.Supported(p, s.Type) {
			return false
		}
	}
	return true
}
