package scope

import (
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
)

// Supported reports whether the parameter can be evaluated on a resource of
// the type, and so be granted (SMART SCP-09): a token, reference or date
// parameter that R4 or US Core defines for the type, without modifier or
// chain, with readable values. A scope with an unsupported parameter must
// not be granted; dropping the parameter would widen it.
func Supported(p Param, typ string) bool {
	kind := kindOf(typ, p)
	if kind == "" || len(p.Values) == 0 {
		return false
	}
	for _, v := range p.Values {
		if !supportedValue(kind, v) {
			return false
		}
	}
	return true
}

// Supported reports whether all parameters of the scope can be evaluated.
func (s Scope) Supported() bool {
	for _, p := range s.Params {
		if !Supported(p, s.Type) {
			return false
		}
	}
	return true
}

// Matches reports whether the resource is of the scope's type and matches
// every parameter by its hot fields. Any coding of any repetition may match,
// whatever other codings there are (SMART SCP-31, TRP-19). A parameter that
// cannot be evaluated matches nothing. Level and operations are not looked
// at.
func (s Scope) Matches(r *fhir.Resource) bool {
	if r == nil || s.Type != AnyType && s.Type != r.Type {
		return false
	}
	for i := range s.Params {
		if !s.Params[i].matches(r) {
			return false
		}
	}
	return true
}

func (p *Param) matches(r *fhir.Resource) bool {
	kind := kindOf(r.Type, *p)
	for _, v := range p.Values {
		if kind == compartment.Token && anyToken(v, r.Tokens[p.Name]) ||
			kind == compartment.Reference && anyReference(v, r.References[p.Name]) ||
			kind == compartment.Date && anyDate(v, r.Dates[p.Name]) {
			return true
		}
	}
	return false
}

func anyToken(v string, codings []fhir.Coding) bool {
	t, ok := parseToken(v)
	for i := 0; ok && i < len(codings); i++ {
		if t.matches(codings[i]) {
			return true
		}
	}
	return false
}

func anyReference(v string, refs []fhir.Reference) bool {
	for _, r := range refs {
		if referenceMatches(v, r) {
			return true
		}
	}
	return false
}

func anyDate(v string, periods []fhir.Period) bool {
	d, ok := parseDateValue(v)
	for i := 0; ok && i < len(periods); i++ {
		if d.matches(periods[i]) {
			return true
		}
	}
	return false
}
