package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
)

// outcome is what the upstream answered to a write.
type outcome struct {
	body     []byte
	location string
}

// finish answers a write that the upstream did.
func (a *act) finish(p plan, o outcome) (answer, error) {
	a.wrote = p.operation()
	if p.send.Interaction == rest.Delete {
		return answer{status: http.StatusNoContent}, nil
	}
	s, ok := a.result(p, o)
	if !ok {
		return a.unseen(p, o), nil
	}
	return a.written(s, p.created), nil
}

// result gives the resource as the upstream stored it, when it said so.
func (a *act) result(p plan, o outcome) (sight, bool) {
	raw := a.x.g.local(o.body, a.x.g.d.Base)
	res, err := view.Scan(raw)
	if err != nil || res.Type != p.send.Type || res.ID == "" || p.send.ID != "" && res.ID != p.send.ID {
		return sight{}, false
	}
	if ok, err := a.adopt(&res); !ok || err != nil {
		// It was accepted; only its judging for reading failed.
		return sight{}, false
	}
	a.made = fhir.Reference{Type: res.Type, ID: res.ID}
	s, ok, err := a.release(raw, res, access.Decision{Obligations: []access.Obligation{access.StripLabels}})
	return s, ok && err == nil
}

// unseen answers a write of which the upstream gave no representation: with
// the address alone.
func (a *act) unseen(p plan, o outcome) answer {
	ans := answer{status: http.StatusOK}
	if !p.created {
		return ans
	}
	ans.status = http.StatusCreated
	below, _ := a.x.g.d.Upstream.Below(o.location)
	if below == "" {
		below = "/" + o.location
	}
	parts := strings.Split(strings.TrimPrefix(below, "/"), "/")
	if len(parts) < 2 || parts[0] != p.send.Type || !fhir.ValidID(parts[1]) {
		return ans
	}
	a.made = fhir.Reference{Type: parts[0], ID: parts[1]}
	ans.location = a.x.g.d.Base + "/" + a.made.String()
	if len(parts) == 4 && parts[2] == "_history" && fhir.ValidID(parts[3]) {
		ans.version, a.version = parts[3], parts[3]
		ans.location += "/_history/" + parts[3]
	}
	return ans
}

// written answers a write with the version that it made. The body goes only
// to who may read it (SMART M-12).
func (a *act) written(s sight, created bool) answer {
	a.version, a.made = s.res.VersionID, s.ref()
	if len(a.subjects) == 0 {
		a.subjects = s.res.Subjects
	}
	ans := of(http.StatusOK, s)
	if created {
		ans.status, ans.location = http.StatusCreated, a.x.g.versionURL(s)
	}
	if a.req.Prefer.Return == "minimal" || !a.judge(&s.res, scope.Read).Allow {
		ans.body = nil
		return ans
	}
	a.deliver(s)
	return ans
}

// Writing is a version of a resource that somebody wrote for a patient.
type Writing struct {
	Target fhir.Reference
	// Version is as the upstream calls it, empty where it said none; Operation is a
	// v3-DataOperation.
	Version, Operation string
	At                 time.Time
	// Capacity, PersonID and ClientID say who wrote, for whom and with which app,
	// Consents under what, by id.
	Capacity           fhir.Capacity
	PersonID, ClientID string
	Consents           []string
}

// operation is the v3-DataOperation of a write.
func (p plan) operation() string {
	switch {
	case p.send.Interaction == rest.Delete:
		return "DELETE"
	case p.created:
		return "CREATE"
	}
	return "UPDATE"
}

// witness tells who wrote for a patient, beside what the resource says itself (PV-06).
func (a *act) witness() error {
	grant := a.x.in.Grant
	if a.wrote == "" || !grant.Capacity.IsProxy() || a.x.g.d.Wrote == nil {
		return nil
	}
	target := a.made
	if target.IsZero() {
		target = a.req.Target()
	}
	if target.ID == "" {
		return nil // the upstream did not say where it is
	}
	return a.x.g.d.Wrote(a.x.ctx, Writing{
		Target: target, Version: a.version, Operation: a.wrote, At: a.x.g.d.Clock.Now(),
		Capacity: grant.Capacity, PersonID: a.x.bearer.Grant.PersonID, ClientID: a.x.bearer.Client.ID, Consents: a.authority(),
	})
}

func (g *Gateway) versionURL(s sight) string {
	address := g.d.Base + "/" + s.ref().String()
	if s.res.VersionID != "" {
		address += "/_history/" + s.res.VersionID
	}
	return address
}
