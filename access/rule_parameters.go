package access

import (
	"slices"

	"github.com/mandate-health/mandate/fhir/rest"
)

// oracleParameters answer questions about data that may be hidden: they are
// refused for everybody (SMART M-17, TRP-05, GW-06).
var oracleParameters = []string{"_has", "_filter", "_list", "_query", "_text", "_content", "_contained", "_containedType"}

// setModifiers select by value sets and hierarchies, whose members a proxy
// could probe (GW-06).
var setModifiers = []string{"in", "not-in", "above", "below"}

// judgeParameters refuses search parameters by whose effect hidden data could
// be told from absent data.
func judgeParameters(in *Input, _ *Decision) verdict {
	for i := range in.Request.Query {
		p := &in.Request.Query[i]
		if v := judgeParameter(in, p); v.refused {
			return v
		}
	}
	return pass
}

func judgeParameter(in *Input, p *rest.Param) verdict {
	if slices.Contains(oracleParameters, p.Name) || p.Chain != "" {
		return deny("parameter-not-allowed", p.Name)
	}
	if in.Grant.Capacity.IsProxy() && (p.Name == "_security" || slices.Contains(setModifiers, p.Modifier)) {
		return deny("parameter-not-allowed", p.Name)
	}
	return pass
}
