package retention

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/audit"
)

// Check compares the holds and rules with what the log says of them, which
// verification has shown to be intact or not. Errors: errs.Unavailable.
func (s *Service) Check(ctx context.Context, tenant string) ([]audit.Finding, error) {
	said, err := s.said(ctx, tenant)
	if err != nil {
		return nil, err
	}
	holds, err := s.d.Store.AuditHolds(ctx, tenant)
	if err != nil {
		return nil, err
	}
	rules, err := s.Rules(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return append(said.holdFaults(holds), said.ruleFaults(rules)...), nil
}

// statements is what the log says.
type statements struct {
	held     map[string]Hold
	released map[string]bool
	// lost are the patients of holds whose particulars went with their key.
	lost []string
	days map[audit.Class]string
}

// said reads the log, oldest last.
func (s *Service) said(ctx context.Context, tenant string) (statements, error) {
	out := statements{held: map[string]Hold{}, released: map[string]bool{}, days: map[audit.Class]string{}}
	f := audit.Filter{Tenant: tenant, Limit: 1000, Kinds: []audit.Kind{audit.AuditHeld, audit.AuditReleased, audit.ConfigurationLoaded}}
	for {
		page, err := s.d.Store.Audits(ctx, f)
		if err != nil {
			return out, err
		}
		for _, e := range page {
			out.take(e)
		}
		if len(page) < f.Limit {
			return out, nil
		}
		f.Before, f.BeforeID = page[len(page)-1].Time, page[len(page)-1].ID
	}
}

func (s *statements) take(e audit.Event) {
	id := e.Detail["hold"]
	switch {
	case e.Kind == audit.AuditReleased:
		s.released[id] = true
	case e.Kind == audit.AuditHeld && id == "":
		s.lost = append(s.lost, e.Patient)
	case e.Kind == audit.AuditHeld:
		s.held[id] = Hold{ID: id, Matter: e.Detail["matter"], Patient: e.Patient, PersonID: e.Detail["held_person"]}
	case e.Reason == reasonRule:
		// The newest one comes first.
		if c := audit.Class(e.Detail["class"]); s.days[c] == "" {
			s.days[c] = e.Detail["days"]
		}
	}
}

func (s *statements) holdFaults(rows []Hold) []audit.Finding {
	var out []audit.Finding
	say := func(id, what string) {
		out = append(out, audit.Finding{Fault: audit.HoldChanged, Seq: -1, ID: id, Detail: what})
	}
	for _, h := range rows {
		want, known := s.held[h.ID]
		delete(s.held, h.ID)
		switch {
		case !known && slices.Contains(s.lost, h.Patient):
		case !known:
			say(h.ID, "no event of the log sets this hold")
		case want.Matter != h.Matter || want.Patient != h.Patient || want.PersonID != h.PersonID:
			say(h.ID, "the hold keeps something else than the log says")
		case !h.Released.IsZero() != s.released[h.ID]:
			say(h.ID, "the log does not say so of the end of this hold")
		}
	}
	for id := range s.held {
		say(id, "the log sets this hold, and it is gone")
	}
	return out
}

func (s *statements) ruleFaults(rules []Rule) []audit.Finding {
	var out []audit.Finding
	for _, r := range rules {
		want := s.days[r.Class]
		if want == "" {
			want = strconv.Itoa(SixYears)
		}
		if have := strconv.Itoa(r.Days); have != want {
			out = append(out, audit.Finding{Fault: audit.RetentionChanged, Seq: -1,
				Detail: fmt.Sprintf("events of class %s are kept for %s days, the log says %s", r.Class, have, want)})
		}
	}
	return out
}
