package grant

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// clientCredentials lets a backend service act for itself (SMART Backend
// Services, BKS-*).
type clientCredentials struct{}

// Name gives "client_credentials".
func (clientCredentials) Name() string { return "client_credentials" }

// Fill grants what was asked for and pre-authorised. Secrets do not serve
// (SMART SYM-02): only backend clients, which have keys, are let through, and
// one with a secret whose registration says so.
func (clientCredentials) Fill(_ context.Context, in Asked) (Blanks, error) {
	if !in.Client.ForItself() {
		return Blanks{}, errUnauthorized()
	}
	if !in.Form.Has("scope") {
		return Blanks{}, errs.New(errs.InvalidScope, "scope-missing", "scope is missing.")
	}
	granted, explained, err := preauthorised(in.Client.Scopes, in.Form.Get("scope"))
	out := Blanks{Scopes: granted, Explained: explained}
	if err != nil || in.Client.UDAP == nil {
		return out, err
	}
	// Who is known by certificate states purpose and subject anew for each token
	// (UDP-29, UDP-31).
	out.B2B, err = in.B2B()
	return out, err
}

// preauthorised gives requested ∩ registered at system level, with the
// literal texts: of the request where it stays whole, of the registration
// where a wider request is narrowed to it (BKS-02); scopes of the administration
// API only as they are registered; and for each scope that is
// not granted as it was asked the reason, also with an error. Errors:
// errs.InvalidScope when nothing is left.
func preauthorised(registered, requested string) (granted string, explained []access.Explanation, err error) {
	ceiling, err := scope.Parse(registered, scope.Limits{})
	if err != nil {
		return "", nil, errs.Wrap(err, errs.Internal, "client-scopes", "The registered scopes cannot be read.")
	}
	asked, err := scope.Parse(requested, scope.Limits{})
	if err != nil {
		return "", nil, err
	}
	allowed := system(ceiling.Clinical)
	var literal map[string]string
	var texts []string
	for _, s := range system(asked.Clinical).Intersect(allowed) {
		text := s.String()
		if s.Text == "" {
			if literal == nil {
				literal = spelled(ceiling.Clinical)
			}
			text = cmp.Or(literal[s.Canonical()], text)
		}
		texts = append(texts, text)
	}
	for _, text := range asked.Others {
		if oauth.AdminScope(text) && slices.Contains(ceiling.Others, text) {
			texts = append(texts, text)
		}
	}
	explained = unserved(asked, texts, allowed)
	if len(texts) == 0 {
		return "", explained, errs.New(errs.InvalidScope, "scope-not-registered", "None of the scopes is registered for this client.")
	}
	return strings.Join(texts, " "), explained, nil
}

// spelled gives how each scope is written where it is registered.
func spelled(registered scope.Set) map[string]string {
	out := make(map[string]string, len(registered))
	for _, s := range registered {
		if key := s.Canonical(); out[key] == "" {
			out[key] = s.String()
		}
	}
	return out
}

// unserved explains each asked scope that is not among the granted texts.
func unserved(asked scope.Request, granted []string, ceiling scope.Set) (out []access.Explanation) {
	for _, text := range asked.Texts {
		if slices.Contains(granted, text) {
			continue
		}
		e := access.Explanation{Scope: text}
		s, clinical := scope.ParseScope(text)
		switch {
		case oauth.AdminScope(text):
			e.Code = access.WhyNotRegistered
		case !clinical && slices.Contains(asked.Others, text):
			e.Code = access.WhyUnknown
		case !clinical || s.Level != scope.System:
			e.Code = access.WhyLevel
		case !s.Supported():
			e.Code = access.WhyParameter
		default:
			e.Code, e.Became = access.WhyNotRegistered, scope.Set{s}.Intersect(ceiling).Strings()
		}
		out = append(out, e)
	}
	return out
}

// system keeps the system scopes that can be enforced (SMART SCP-09, SCP-27).
func system(s scope.Set) scope.Set {
	out := make(scope.Set, 0, len(s))
	for _, one := range s {
		if one.Level == scope.System && one.Supported() {
			out = append(out, one)
		}
	}
	return out
}
