package app

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	explanation "github.com/mandate-health/mandate/web/explain"
)

// explainCommand tells why a request is allowed or refused.
type explainCommand struct {
	storeFlags
	asFlag
	Tenant  string `default:"default" help:"Tenant of the grant or event (default ${default})." placeholder:"ID"`
	Grant   string `xor:"of" required:"" help:"How a request would be decided under this grant, as grant list names it." placeholder:"ID"`
	Client  string `xor:"of" required:"" help:"How a request would be decided for this client_id, which acts for itself." placeholder:"ID"`
	Event   string `xor:"of" required:"" help:"What decided the request of this event of the audit log, and how it would be decided now." placeholder:"ID"`
	Request string `help:"With --grant and --client: method and path below the FHIR base, such as \"GET /Observation?category=laboratory\"." placeholder:"REQUEST"`
	JSON    bool   `name:"json" help:"Print as JSON."`
}

// Run explains. Nothing of a record is printed but ids.
func (c *explainCommand) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		person, err := a.requireOperator(s, a.mayExplain(s, c))
		if err != nil {
			return err
		}
		asker, err := a.explainer(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		q := explanation.Question{Grant: c.Grant, Client: c.Client, Event: c.Event, Request: c.Request}
		out, err := asker.Ask(s.ctx, q, audit.Event{Time: a.clock.Now(), PersonID: person})
		if err != nil {
			return err
		}
		if c.JSON {
			enc := json.NewEncoder(s.out)
			enc.SetIndent("", "  ")
			return enc.Encode(out)
		}
		printExplanation(s.out, out)
		return nil
	})
}

// mayExplain says whose act it is: an operator's, and for an event of the log that
// of an auditor too, when one asks.
func (a *App) mayExplain(s *streams, c *explainCommand) operator.Need {
	n := operator.Need{Tenant: c.Tenant, As: c.As, Peer: s.peer, Role: operator.Operator, Act: "explain"}
	if c.Event != "" {
		auditor := n
		auditor.Role = operator.Auditor
		if _, err := operator.Holder(s.ctx, a.store, auditor); !errs.Is(err, errs.Forbidden) {
			return auditor
		}
	}
	return n
}

func printExplanation(w io.Writer, x explanation.Explanation) {
	if e := x.Event; e != nil {
		printThen(w, e)
	}
	fmt.Fprintln(w, x.Sentence)
	for _, line := range x.Details {
		fmt.Fprintln(w, "  "+line)
	}
	fmt.Fprintf(w, "\ndecision  %s\n", x.Decision)
	for _, l := range [][2]string{
		{"rule", code(x.Rule, x.Code)}, {"request", x.Request}, {"resource", x.Resource}, {"grant", x.Grant}, {"client", x.Client},
		{"person", x.Person}, {"capacity", x.Capacity}, {"patient", x.Patient},
	} {
		if l[1] != "" {
			fmt.Fprintf(w, "%-9s %s\n", l[0], l[1])
		}
	}
}

// printThen prints what the log holds: what decided when it happened.
func printThen(w io.Writer, e *explanation.Recorded) {
	fmt.Fprintf(w, "Event %s of %s: %s, %s", e.ID, e.Time.UTC().Format("2006-01-02 15:04:05 MST"), e.Kind, e.Outcome)
	if e.Code != "" {
		fmt.Fprintf(w, " (%s)", code(e.Rule, e.Code))
	}
	fmt.Fprintln(w)
	if e.Sentence != "" {
		fmt.Fprintf(w, "  Then: %s\n", e.Sentence)
	}
	for _, text := range e.Scopes {
		fmt.Fprintf(w, "  By scope %s\n", text)
	}
	for _, ref := range e.Consents {
		fmt.Fprintf(w, "  Under %s\n", ref)
	}
	if e.Acting != "" {
		fmt.Fprintf(w, "  %s acted for %s as %s (%s), for %s\n", e.Acting, e.Patient, e.Capacity, orDash(e.Relation), e.Purpose)
	}
	fmt.Fprintf(w, "  %d resources left.\n", e.Delivered)
	for _, text := range e.Gone {
		fmt.Fprintf(w, "  %s permitted it then and does not now.\n", text)
	}
	if !e.Same {
		fmt.Fprintln(w, "  It would be decided otherwise now:")
	}
	fmt.Fprintln(w)
}

// code names a rule with its cause code.
func code(rule, cause string) string {
	if rule == "" || cause == "" {
		return rule + cause
	}
	return rule + ": " + cause
}
