package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// sight is a resource that was judged visible, as it may leave.
type sight struct {
	raw []byte
	res fhir.Resource
	// scope is the one that permits it, "" where that was not asked.
	scope string
	// notice must accompany it.
	notice redisclosure
}

func (s sight) ref() fhir.Reference { return fhir.Reference{Type: s.res.Type, ID: s.res.ID} }

// memory is what an exchange knows about resources judged before: the owner
// of a Binary, and whether a reference may be seen.
type memory struct {
	owners map[string]owner
	// documents says that the owners in the bound record are known.
	documents bool
	seen      map[fhir.Reference]seen
	// lookups counts requests made only to judge others.
	lookups int
	// mentions is what may be told of those that resources refer to, asker sums up
	// in whose eyes, asks counts the requests that it took.
	mentions map[fhir.Reference]mention
	asker    uint64
	asks     int
}

// seen is a resource as it was judged. Without being reachable it cannot be
// visible under any operation.
type seen struct {
	reachable, visible bool
	res                fhir.Resource
}

// eitherOf lets a resource leave when it may be read or found: what arrives
// by way of another (M-16, M-18).
var eitherOf = []scope.Ops{scope.Read, scope.Search}

// see judges a resource of the upstream. ok is false for what must not leave;
// what cannot be read strictly never does. Errors are those of the upstream
// when another resource had to be asked for.
func (a *act) see(raw []byte, ops ...scope.Ops) (s sight, ok bool, err error) {
	return a.seeEntry(view.Entry{Resource: raw}, ops...)
}

// seeEntry judges the resource of an entry, which may have been read already.
func (a *act) seeEntry(e view.Entry, ops ...scope.Ops) (s sight, ok bool, err error) {
	raw, res := a.x.g.local(e.Resource, a.x.g.d.Base), e.Hot
	if res == nil || &raw[0] != &e.Resource[0] {
		read, err := view.Scan(raw)
		if err != nil {
			return sight{}, false, nil
		}
		res = &read
	}
	if fhirapi.Owns(res.Type) || access.NeverForApps(res.Type) {
		return sight{}, false, nil
	}
	reachable, err := a.adopt(res)
	if err != nil {
		return sight{}, false, err
	}
	var d access.Decision
	if reachable {
		d, ok = a.judgeAny(res, ops)
		ok = ok && a.proven(res)
	}
	if !a.lone {
		a.x.remember(*res, reachable, ok)
	}
	if !ok {
		return sight{}, false, nil
	}
	return a.release(raw, *res, d)
}

// scales hold input and decision while one resource after the other is judged.
type scales struct {
	in access.Input
	d  access.Decision
}

// judgeAny judges a resource under any of the operations. The lists of the
// decision are good until the next one is judged.
func (a *act) judgeAny(res *fhir.Resource, ops []scope.Ops) (access.Decision, bool) {
	if a.scales == nil {
		a.scales = new(scales)
	}
	s := a.scales
	s.in = a.x.governed(res.Type)
	s.in.Resource = res
	for _, op := range ops {
		s.in.Op = op
		s.d.Decide(&s.in)
		a.notice(s.d)
		if s.d.Allow {
			return s.d, true
		}
	}
	if len(s.d.Reasons) > 0 {
		a.reason = s.d.Reasons[0]
	}
	return s.d, false
}

// adopt gives resources that stand for others what they are judged by;
// reachable is false when there is nothing that may be seen.
func (a *act) adopt(res *fhir.Resource) (reachable bool, err error) {
	switch res.Type {
	case "Binary":
		return a.adoptBinary(res)
	case "Provenance":
		return a.adoptProvenance(res)
	}
	return true, nil
}

// release applies the obligations and notes what leaves. ok is false for what
// cannot leave without telling of something hidden.
func (a *act) release(raw []byte, res fhir.Resource, d access.Decision) (s sight, ok bool, err error) {
	out, err := a.withhold(raw)
	if err != nil {
		return sight{}, false, err
	}
	if out == nil {
		a.reason = access.Reason{Rule: "reference", Code: "refers-to-hidden"}
		return sight{}, false, nil
	}
	if out, err = a.strip(out, &res, d); err != nil {
		return sight{}, false, nil
	}
	for _, c := range d.Consents {
		if !slices.Contains(a.consents, c) {
			a.consents = append(a.consents, c)
		}
	}
	return sight{raw: out, res: res, scope: scopeBy(d), notice: a.x.g.d.redisclosureOf(d)}, true, nil
}

// strip removes security labels: all of them for a proxy, the topics for
// everybody but a system client, because a label tells what the text leaves
// out (LB-17, GW-18).
//
// A resource that was read strictly tells whether there is anything to remove;
// nil does not tell.
func (a *act) strip(raw []byte, res *fhir.Resource, d access.Decision) ([]byte, error) {
	if a.x.system() || !slices.Contains(d.Obligations, access.StripLabels) {
		return raw, nil
	}
	proxy := a.x.in.Grant.Capacity.IsProxy()
	keep := func(c fhir.Coding) bool { return !proxy && c.System == fhir.SystemConfidentiality }
	if res != nil && !wears(res, keep) {
		return raw, nil
	}
	return view.StripLabels(raw, keep)
}

// wears reports whether a resource, or one that it contains, has a label that is
// not kept.
func wears(res *fhir.Resource, keep func(fhir.Coding) bool) bool {
	for _, l := range res.Labels {
		if !keep(l) {
			return true
		}
	}
	for i := range res.Contained {
		if wears(&res.Contained[i], keep) {
			return true
		}
	}
	return false
}

// deliver notes that a resource leaves in the answer.
func (a *act) deliver(s sight) {
	a.drew.add(s.scope)
	a.notices = a.notices.with(s.notice)
	a.delivered = append(a.delivered, delivery{ref: s.ref(), patients: s.res.Subjects})
}

// maxSeen bounds how many judged resources are remembered.
const maxSeen = 4000

func (x *exchange) remember(res fhir.Resource, reachable, visible bool) {
	if res.ID == "" {
		return
	}
	if x.memory.seen == nil || len(x.memory.seen) >= maxSeen {
		// What is needed again is looked up.
		x.memory.seen = map[fhir.Reference]seen{}
	}
	ref := fhir.Reference{Type: res.Type, ID: res.ID}
	if !x.memory.seen[ref].visible {
		if visible {
			// All else served to judge it.
			res = fhir.Resource{Type: res.Type, ID: res.ID, Subjects: everybody(&res), ForeignSubject: res.ForeignSubject}
		}
		x.memory.seen[ref] = seen{reachable, visible, res}
	}
}

// everybody lists whom a resource and what it contains are about: what is inside
// leaves with it (GW-24).
func everybody(res *fhir.Resource) []string {
	out := res.Subjects
	for i := range res.Contained {
		for _, s := range everybody(&res.Contained[i]) {
			if !slices.Contains(out, s) {
				out = append(slices.Clip(out), s)
			}
		}
	}
	return out
}

// maxLookups bounds, for one exchange, the requests that only serve to judge
// other resources; what is not judged is hidden.
const maxLookups = 200

// fetch asks the upstream for one address. Errors: errAbsent, upstreamFault,
// errs.Upstream.
func (x *exchange) fetch(address string) ([]byte, error) {
	res, err := x.g.d.Upstream.Do(x.ctx, http.MethodGet, address, nil, nil)
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, upstreamFault(res.Status)
	}
	return res.Body, nil
}

// current reads a resource as it is now and judges it.
func (a *act) current(ref fhir.Reference, ops ...scope.Ops) (sight, error) {
	raw, err := a.x.fetch("/" + ref.String())
	if err != nil {
		return sight{}, err
	}
	return a.only(raw, ref, ops...)
}

// only judges the one resource that was asked for; errAbsent when it is
// hidden. Errors: errs.Upstream when the upstream gave another one or no JSON
// object at all, which must not pass for an absent record.
func (a *act) only(raw []byte, ref fhir.Reference, ops ...scope.Ops) (sight, error) {
	s, ok, err := a.see(raw, ops...)
	if err != nil {
		return sight{}, err
	}
	if !ok && !(json.Valid(raw) && bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{"))) {
		return sight{}, errs.New(errs.Upstream, "upstream-malformed", "The FHIR server's answer is not a resource.")
	}
	if !ok && a.unproven != nil {
		return sight{}, a.unproven
	}
	if !ok {
		return sight{}, errAbsent
	}
	if s.ref() != ref {
		return sight{}, errs.New(errs.Upstream, "upstream-other-resource", "The FHIR server behind Mandate gave another resource than asked for.")
	}
	return s, nil
}
