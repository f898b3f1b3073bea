package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// single lists parameters which may stand only once, because servers differ
// in which of two they take.
var single = []string{
	"_contained", "_containedType", "_count", "_elements", "_format", "_pretty", "_query", "_since", "_at",
	"_score", "_sort", "_summary", "_total", "_type", "_outputFormat", "_until", "_offset", "_page", "mode",
}

// searches reports whether parameters can only narrow what is shown: one
// without a value says nothing and is left out, as public test kits expect
// (SMART US-13). Elsewhere it would widen a condition and is refused.
func searches(method string, seg []string) bool {
	operation := slices.ContainsFunc(seg, func(s string) bool { return strings.HasPrefix(s, "$") })
	return endsInSearch(seg) || method == http.MethodGet && !operation
}

// parseQuery reads form-encoded parameters, of an address or of a body, in
// order. Parameters without a value are left out of a search, else refused.
func parseQuery(raw string, search bool) ([]Param, error) {
	if len(raw) > maxQuery {
		return nil, errs.New(errs.TooLarge, "query-too-long", "The query is too long.")
	}
	var params []Param
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if len(params) == maxParams {
			return nil, errs.New(errs.TooLarge, "query-too-many", "The query has too many parameters.")
		}
		p, err := parsePair(pair)
		if err != nil {
			return nil, err
		}
		if p.Raw == "" && !search {
			return nil, errs.New(errs.Invalid, "parameter-empty", "A query parameter has no value.")
		}
		if p.Raw != "" {
			params = append(params, p)
		}
	}
	return params, nil
}

func parsePair(pair string) (Param, error) {
	encodedName, encodedValue, _ := strings.Cut(pair, "=")
	name, errName := url.QueryUnescape(encodedName)
	value, errValue := url.QueryUnescape(encodedValue)
	if errName != nil || errValue != nil || !plainText(value) {
		return Param{}, errs.New(errs.Invalid, "query-encoding", "A query parameter is not correctly encoded.")
	}
	p, ok := parseName(name)
	if !ok {
		return Param{}, errs.New(errs.Invalid, "parameter-name", "A query parameter has a name that FHIR does not allow.")
	}
	p.Raw = value
	p.Values = fhir.SplitValues(value)
	return p, nil
}

// parseName takes name:modifier.chain apart. For _has everything behind the
// first colon is the modifier.
func parseName(text string) (p Param, ok bool) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("_-.:", c) < 0 {
			return Param{}, false
		}
	}
	if rest, has := strings.CutPrefix(text, "_has:"); has {
		return Param{Name: "_has", Modifier: rest}, rest != ""
	}
	head, chain, hasChain := strings.Cut(text, ".")
	name, modifier, hasModifier := strings.Cut(head, ":")
	p = Param{Name: name, Modifier: modifier, Chain: chain}
	ok = name != "" && (chain != "" || !hasChain) && (modifier != "" || !hasModifier)
	return p, ok && name != "_method"
}

// plainText reports whether s is UTF-8 without control characters.
func plainText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return true
}

// checkRepeated refuses a second occurrence of a single-valued parameter.
func checkRepeated(params []Param) error {
	seen := map[string]bool{}
	for _, p := range params {
		if !slices.Contains(single, p.Name) {
			continue
		}
		if seen[p.Name] || p.Modifier != "" || p.Chain != "" {
			return errs.New(errs.Invalid, "parameter-repeated", "A parameter that may stand only once is repeated or modified.")
		}
		seen[p.Name] = true
	}
	return nil
}

// takeFormat removes _format and _pretty, which only speak about the
// representation; format is "" when it was not asked for.
func takeFormat(params []Param) (rest []Param, format string) {
	for _, p := range params {
		switch p.Name {
		case "_format":
			format = p.Raw
		case "_pretty":
		default:
			rest = append(rest, p)
		}
	}
	return rest, format
}

// key gives the full name of the parameter.
func (p Param) key() string {
	k := p.Name
	if p.Modifier != "" {
		k += ":" + p.Modifier
	}
	if p.Chain != "" {
		k += "." + p.Chain
	}
	return k
}

// encodeQuery writes parameters in order, with %20 for spaces, which every
// server reads alike.
func encodeQuery(params []Param) string {
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.key()))
		b.WriteByte('=')
		b.WriteString(strings.ReplaceAll(url.QueryEscape(strings.Join(p.Values, ",")), "+", "%20"))
	}
	return b.String()
}
