package gateway

import (
	"net/url"
	"slices"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// owner is the document that a Binary belongs to; found is false when none
// may be seen.
type owner struct {
	found bool
	res   fhir.Resource
}

// owning are the types whose attachments may be a Binary of their own.
var owning = []string{"DocumentReference", "DiagnosticReport"}

// adoptBinary gives a Binary the subjects and labels of a visible document
// that it is the content of. Without one nobody but a system client sees it
// (GW-09, SMART TRP-14).
func (a *act) adoptBinary(res *fhir.Resource) (reachable bool, err error) {
	if res.ID == "" {
		return a.x.system(), nil
	}
	ref := fhir.Reference{Type: "Binary", ID: res.ID}
	own, known := a.x.memory.owners[ref.ID]
	if !known {
		if own, err = a.findOwner(ref); err != nil {
			return false, err
		}
		if a.x.memory.owners == nil {
			a.x.memory.owners = map[string]owner{}
		}
		a.x.memory.owners[ref.ID] = own
	}
	if !own.found {
		return a.x.system(), nil
	}
	res.Subjects, res.ForeignSubject = own.res.Subjects, own.res.ForeignSubject
	res.Labels = slices.Concat(res.Labels, own.res.Labels)
	return true, nil
}

// findOwner looks for a document that names the Binary and may be read.
func (a *act) findOwner(ref fhir.Reference) (owner, error) {
	for _, typ := range owning {
		if !a.reads(typ) {
			continue
		}
		params := url.Values{"_count": {"500"}}
		switch patient := bound(a.x.in); {
		case patient != "":
			params.Set("patient", "Patient/"+patient)
		case typ == "DocumentReference":
			params.Set("location", ref.String())
		default:
			continue
		}
		own, err := a.ownerAmong(typ, params, ref)
		if err != nil || own.found {
			return own, err
		}
	}
	return owner{}, nil
}

func (a *act) ownerAmong(typ string, params url.Values, ref fhir.Reference) (own owner, err error) {
	err = a.x.g.d.Upstream.Search(a.x.ctx, typ, params, func(raw []byte) error {
		res, scanErr := view.Scan(localise(raw, a.x.g.d.Upstream.Base(), ""))
		if scanErr != nil || !slices.Contains(res.Targets, ref) {
			return nil
		}
		if _, ok := a.judgeAny(&res, []scope.Ops{scope.Read}); !ok {
			return nil
		}
		own = owner{found: true, res: res}
		return errFound
	})
	if err == errFound {
		err = nil
	}
	return own, err
}

// errFound ends a search early; it never leaves this file.
var errFound = errs.New(errs.Internal, "found", "found")

// reads reports whether some scope lets a type be read.
func (a *act) reads(typ string) bool {
	for _, level := range []scope.Level{scope.Patient, scope.User, scope.System} {
		if len(a.x.in.Grant.Scopes.For(level, typ, scope.Read)) > 0 {
			return true
		}
	}
	return false
}
