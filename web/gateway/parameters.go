package gateway

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

var (
	// resultParams say what comes back of a search (R4 §3.1.1.5), oracles what
	// access judges by name (R4 §3.1.1.4); both are no parameters of a type.
	resultParams = []string{"_contained", "_containedType", "_count", "_elements", "_include", "_revinclude", "_sort", "_summary", "_total", "_has", pageParam}
	// everythingParams are those of $everything.
	everythingParams = []string{"start", "end", "_since", "_type", "_count", "_summary", "_elements", "_total", pageParam}
	// modifiers are those of R4 §3.1.1.4.5; the name of a type is one too.
	modifiers = []string{"", "missing", "exact", "contains", "text", "in", "below", "above", "not", "not-in", "identifier", "of-type", "iterate", "recurse"}
)

// understood looks whether R4 knows what a search asks by: what only the upstream
// knows could ask about hidden data. A name that R4 does not have for the type is
// ignored, and the answer says so, or refused with Prefer: handling=strict (R4
// §3.1.1.1.1); a modifier that R4 does not have is refused always. How strictly is
// the mode of the rule "input". Errors: errs.Invalid.
func (a *act) understood() error {
	mode := a.x.g.d.Modes.Of("input")
	if mode == access.Off {
		return nil
	}
	left, unknown, err := a.x.g.known(a.req)
	if err == nil && a.req.Prefer.Handling == "strict" && unknown != nil {
		err = unknownParameter(unknown[0])
	}
	switch {
	case mode == access.Enforce && err == nil:
		a.req.Query, a.ignored = left, unknown
	case mode == access.Enforce:
		return err
	case err != nil || unknown != nil:
		a.notice(access.Decision{WouldDeny: []access.Reason{{Rule: "input", Code: "parameter-unknown"}}})
	}
	return nil
}

// understoodWhole is understood for a condition: ignoring a part of it would select
// more.
func (g *Gateway) understoodWhole(r rest.Request) error {
	if g.d.Modes.Of("input") != access.Enforce {
		return nil
	}
	_, unknown, err := g.known(r)
	if err == nil && unknown != nil {
		err = unknownParameter(unknown[0])
	}
	return err
}

func unknownParameter(name string) error {
	return errs.New(errs.Invalid, "parameter-unknown", "The search parameter "+name+" is not known for this type.")
}

// known gives the parameters that are known, and the names of the others.
func (g *Gateway) known(r rest.Request) (left []rest.Param, unknown []string, err error) {
	for _, p := range r.Query {
		if !slices.Contains(modifiers, p.Modifier) && !compartment.Known(p.Modifier) && p.Name != "_has" {
			return nil, nil, errs.New(errs.Invalid, "modifier-unknown", "FHIR has no such modifier of a search parameter.")
		}
		switch values := p.Values; {
		case r.Interaction == rest.Operation:
			if !slices.Contains(everythingParams, p.Name) {
				unknown = append(unknown, p.Name)
				continue
			}
		case p.Name == "_sort":
			p.Values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !g.searchable(r.Type, strings.TrimPrefix(v, "-")) })
		case p.Name == "_include", p.Name == "_revinclude":
			p.Values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !g.includable(v) })
		case r.Type == rest.AnyType && p.Name == "_type":
		case !slices.Contains(resultParams, p.Name) && !g.searchable(r.Type, p.Name):
			unknown = append(unknown, p.Name)
			continue
		}
		if len(p.Values) > 0 {
			left = append(left, p)
		} else {
			unknown = append(unknown, p.Name)
		}
	}
	return left, unknown, nil
}

// searchable reports whether a type has a search parameter: by R4 and US Core, or by
// the configuration for this upstream.
func (g *Gateway) searchable(typ, name string) bool {
	return compartment.Searchable(typ, name) || name == "_score" || slices.Contains(g.d.Parameters, typ+":"+name) || slices.Contains(g.d.Parameters, "*:"+name)
}

// includable reports whether an inclusion names a parameter that there is.
func (g *Gateway) includable(value string) bool {
	typ, rest, _ := strings.Cut(value, ":")
	param, target, targeted := strings.Cut(rest, ":")
	switch {
	case targeted && !compartment.Known(target):
		return false
	case typ == "*":
		return param == "" || param == "*"
	}
	return compartment.Known(typ) && (param == "*" || g.searchable(typ, param))
}

// ignoredEntry tells which parameters were ignored.
func ignoredEntry(names []string) view.Entry {
	type object = map[string]any
	issues := make([]object, len(names))
	for i, name := range names {
		issues[i] = object{"severity": "warning", "code": "not-supported", "details": object{"text": "The search parameter " + name + " is not known for this type and was ignored."}}
	}
	// Strings always marshal.
	raw, _ := json.Marshal(object{"resourceType": "OperationOutcome", "issue": issues})
	return view.Entry{Resource: raw, Search: []byte(`{"mode":"outcome"}`)}
}
