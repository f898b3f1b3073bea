package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/retention"
)

type auditHold struct {
	Add     holdAdd     `cmd:"" help:"Begin a hold. Without --patient and --person it holds everything."`
	Release holdRelease `cmd:"" help:"End a hold."`
	List    holdList    `cmd:"" help:"List the holds."`
}

type holdAdd struct {
	auditStore
	asFlag
	Matter  string `required:"" help:"What the hold is for, such as a case number; no names of people."`
	Patient string `help:"Only events about this patient." placeholder:"ID"`
	Person  string `help:"Only events of this account." placeholder:"ID"`
}

// Run begins a hold.
func (c *holdAdd) Run(s *streams) error {
	return c.with(s, func(ctx context.Context, l openedLog) error {
		if _, err := l.require(c.As, "audit hold add"); err != nil {
			return err
		}
		h, err := l.retentionOf().AddHold(ctx, l.tenant, retention.Hold{Matter: c.Matter, Patient: c.Patient, PersonID: c.Person})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "hold %s stands for %s\n", h.ID, h.Matter)
		return nil
	})
}

type holdRelease struct {
	auditStore
	asFlag
	ID string `arg:"" help:"Id of the hold."`
}

// Run ends a hold.
func (c *holdRelease) Run(s *streams) error {
	return c.with(s, func(ctx context.Context, l openedLog) error {
		if _, err := l.require(c.As, "audit hold release"); err != nil {
			return err
		}
		if err := l.retentionOf().Release(ctx, l.tenant, c.ID); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "hold %s released; what it kept is erased when it is older than its class is kept\n", c.ID)
		return nil
	})
}

type holdList struct{ auditStore }

// Run lists the holds.
func (c *holdList) Run(s *streams) error {
	return c.with(s, func(ctx context.Context, l openedLog) error {
		holds, err := l.retentionOf().Holds(ctx, l.tenant)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tMATTER\tPATIENT\tPERSON\tSINCE\tRELEASED")
		for _, h := range holds {
			released := "-"
			if !h.Released.IsZero() {
				released = h.Released.Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", h.ID, h.Matter, orAll(h.Patient), orAll(h.PersonID), h.Created.Format(time.RFC3339), released)
		}
		return w.Flush()
	})
}

func orAll(id string) string {
	if id == "" {
		return "all"
	}
	return id
}

type auditRetention struct {
	List  retentionList  `cmd:"" help:"List how long each class is kept."`
	Set   retentionSet   `cmd:"" help:"Change how long a class is kept."`
	Erase retentionErase `cmd:"" help:"Erase now what is older; servers do so once a day."`
}

type retentionList struct{ auditStore }

// Run lists the rules.
func (c *retentionList) Run(s *streams) error {
	return c.with(s, func(ctx context.Context, l openedLog) error {
		rules, err := l.retentionOf().Rules(ctx, l.tenant)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CLASS\tKEPT\tERASED UP TO")
		for _, r := range rules {
			kept, erased := "for ever", "-"
			if r.Days > 0 {
				kept = strconv.Itoa(r.Days) + " days"
			}
			if !r.Erased.IsZero() {
				erased = r.Erased.Format(time.DateOnly)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.Class, kept, erased)
		}
		return w.Flush()
	})
}

type retentionSet struct {
	auditStore
	asFlag
	Class string `arg:"" enum:"access,security,administration" help:"access, security or administration."`
	Keep  string `arg:"" help:"Days such as 2192d, years such as 7y, or forever."`
	Below bool   `name:"below-six-years" help:"Allow less than six years: another law governs."`
}

// Run changes a rule.
func (c *retentionSet) Run(s *streams) error {
	days, err := readKeep(c.Keep)
	if err != nil {
		return err
	}
	return c.with(s, func(ctx context.Context, l openedLog) error {
		if _, err := l.require(c.As, "audit retention set"); err != nil {
			return err
		}
		return l.retentionOf().Set(ctx, l.tenant, retention.Rule{Class: audit.Class(c.Class), Days: days}, c.Below)
	})
}

// readKeep reads 2192d, 7y or forever into days; a year counts its leap day.
func readKeep(text string) (int, error) {
	if text == "forever" {
		return 0, nil
	}
	for unit, days := range map[string]float64{"d": 1, "y": 365.25} {
		if digits, ok := strings.CutSuffix(text, unit); ok {
			if n, err := strconv.Atoi(digits); err == nil && n > 0 && n < 100_000 {
				return int(float64(n)*days + 0.5), nil
			}
		}
	}
	return 0, fmt.Errorf("%q is not a number of days such as 2192d, of years such as 7y, or forever", text)
}

type retentionErase struct {
	auditStore
	asFlag
	DryRun bool `name:"dry-run" help:"Only count."`
}

// Run erases what is due.
func (c *retentionErase) Run(s *streams) error {
	return c.with(s, func(ctx context.Context, l openedLog) error {
		if !c.DryRun {
			if _, err := l.require(c.As, "audit retention erase"); err != nil {
				return err
			}
		}
		done, err := l.retentionOf().Erase(ctx, l.tenant, c.DryRun)
		verb := "erased"
		if c.DryRun {
			verb = "due"
		}
		for _, d := range done {
			fmt.Fprintf(s.out, "%s: %d bodies from before %s %s, %d held\n", d.Class, d.Erased, d.Before.Format(time.DateOnly), verb, d.Held)
		}
		if err == nil && len(done) == 0 {
			fmt.Fprintln(s.out, "nothing is due")
		}
		return err
	})
}
