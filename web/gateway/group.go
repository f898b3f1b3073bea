package gateway

import (
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
)

// exported gives the patients of the group of which an export is, nil for an
// export of no group. The group must be visible to the token (SMART BLK-07).
func (a *act) exported(group string) ([]string, error) {
	if group == "" {
		return nil, nil
	}
	s, err := a.current(fhir.Reference{Type: "Group", ID: group}, scope.Read)
	if err != nil {
		return nil, err
	}
	return membersOf(s.raw, a.x.in.Now)
}

// members gives the patients to whom a client is bound by its registration,
// never nil (SMART TRP-26). It is asked anew for each request, so that whoever
// leaves the group is out of reach at once. Without the group there is nobody.
func (x *exchange) members(group string) ([]string, error) {
	raw, err := x.fetch("/Group/" + group)
	if errs.Is(err, errs.NotFound) {
		return []string{}, nil
	}
	if err != nil {
		return nil, err
	}
	return membersOf(x.g.local(raw, x.g.d.Base), x.g.d.Clock.Now())
}

// membersOf gives the patients who are members of a Group now: not those who
// are marked inactive or whose period is over or has not begun, and none of a
// Group that is not active, or that describes people and does not list them.
// Errors: errs.Upstream.
func membersOf(raw []byte, now time.Time) ([]string, error) {
	var g struct {
		Type   string `json:"resourceType"`
		Active *bool  `json:"active"`
		Actual bool   `json:"actual"`
		Member []struct {
			Entity struct {
				Reference string `json:"reference"`
			} `json:"entity"`
			Period struct {
				Start string `json:"start"`
				End   string `json:"end"`
			} `json:"period"`
			Inactive bool `json:"inactive"`
		} `json:"member"`
	}
	if err := json.Unmarshal(raw, &g); err != nil || g.Type != "Group" {
		return nil, errs.New(errs.Upstream, "upstream-malformed", "The FHIR server's answer is not a resource.")
	}
	out := []string{}
	if g.Active != nil && !*g.Active || !g.Actual {
		return out, nil
	}
	for _, m := range g.Member {
		ref, ok := fhir.ParseReference(m.Entity.Reference)
		if ok && ref.Type == "Patient" && !m.Inactive && during(m.Period.Start, m.Period.End, now) {
			out = append(out, ref.ID)
		}
	}
	return out, nil
}

// during reports whether now lies between two FHIR dates, either of which may be
// left out. A date that cannot be read is one that has not come, or is over.
func during(start, end string, now time.Time) bool {
	if start != "" {
		if p, ok := fhir.ParseDate(start); !ok || now.Before(p.Start) {
			return false
		}
	}
	if end != "" {
		if p, ok := fhir.ParseDate(end); !ok || now.After(p.End) {
			return false
		}
	}
	return true
}
