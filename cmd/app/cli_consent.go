package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/mandate-health/mandate/access/vectors"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/consent/pcf"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/store"
)

// consentCommand helps with Consents.
type consentCommand struct {
	Eval   consentEval   `cmd:"" help:"Answer decision vectors by the production engine, from files."`
	Lint   consentLint   `cmd:"" help:"Check Consents by the IHE PCF profile they claim."`
	Render consentRender `cmd:"" help:"Print a Consent as IHE PCF says it."`

	Verify           consentVerify           `cmd:"" help:"Check the signature of every stored version."`
	WithdrawTemplate consentWithdrawTemplate `cmd:"" help:"Withdraw a policy or template: end every grant made from it, and let no new one be filed."`
}

// consentEval answers decision vectors. It opens no store.
type consentEval struct {
	Bundle    string   `required:"" help:"File with the Consents, and RelatedPersons where their periods count: a FHIR Bundle or a list." placeholder:"FILE" type:"existingfile"`
	Vectors   string   `required:"" help:"File with the questions, in the shape of vectors.json." placeholder:"FILE" type:"existingfile"`
	Policy    []string `help:"Beginning of the policy URIs that are known; a grant under another is nothing. Default: those of Mandate and of the published examples." placeholder:"URI" sep:"none"`
	Withdrawn []string `help:"Policy or template URI that no longer counts." placeholder:"URI" sep:"none"`
	TimeZone  string   `help:"Time zone of the patients, such as America/Chicago, as the server has it set: where their days begin and end. Default: what each Consent writes." placeholder:"ZONE"`
	List      bool     `help:"Print one JSON list instead of one answer a line."`
	Check     bool     `help:"Compare with what the vectors expect; the exit status is 1 when one differs."`
}

// Help says more about the command.
func (consentEval) Help() string {
	return "Prints one JSON object for each vector, in their order: its id, expect (PERMIT or DENY), reason, and with a permit the consents, until when it holds (valid_until) and what comes with it (obligations).\n\n" +
		"What cannot be read denies: a vector with the reason INPUT: and its member, a Consent by keeping everybody out. " +
		"Where the bundle has the RelatedPerson of an actor, that has to be active, in its period and of the same patient."
}

// files implements filing.
func (c *consentEval) files() (reads []string, makes string) {
	return []string{c.Bundle, c.Vectors}, ""
}

// Run answers.
func (c *consentEval) Run(s *streams) error {
	raw, err := s.ReadFile(s.ctx, c.Bundle)
	if err != nil {
		return fmt.Errorf("the bundle %s cannot be read: %w", c.Bundle, err)
	}
	zone, err := c.zone()
	if err != nil {
		return err
	}
	bundle, err := vectors.ReadBundle(raw, zone)
	if err != nil {
		return explain(err)
	}
	if raw, err = s.ReadFile(s.ctx, c.Vectors); err != nil {
		return fmt.Errorf("the vectors %s cannot be read: %w", c.Vectors, err)
	}
	asked, err := vectors.ReadVectors(raw)
	if err != nil {
		return explain(err)
	}
	engine := vectors.NewEngine(bundle, consent.Options{PolicyPrefixes: c.Policy, Withdrawn: c.Withdrawn})
	answers := make([]vectors.Answer, 0, len(asked))
	for _, v := range asked {
		answers = append(answers, engine.Answer(v))
	}
	if err := c.print(s.out, answers); err != nil {
		return err
	}
	if c.Check {
		return compare(s.err, asked, answers)
	}
	return nil
}

// zone gives the time zone that was asked for, nil for none. UTC is none, as it is for
// the server.
func (c *consentEval) zone() (*time.Location, error) {
	if c.TimeZone == "" || c.TimeZone == "UTC" {
		return nil, nil
	}
	z, err := time.LoadLocation(c.TimeZone)
	if err != nil || c.TimeZone == "Local" {
		return nil, fmt.Errorf("%q is no time zone such as America/Chicago", c.TimeZone)
	}
	return z, nil
}

func (c *consentEval) print(w io.Writer, answers []vectors.Answer) error {
	enc := json.NewEncoder(w)
	if c.List {
		enc.SetIndent("", " ")
		return enc.Encode(answers)
	}
	for _, a := range answers {
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
	return nil
}

var errOtherwise = errors.New("the engine decides otherwise than the vectors expect")

// compare tells where answers are not what their vectors expect. A vector that
// expects nothing is passed over, and a reason counts where one is given.
func compare(w io.Writer, asked []vectors.Vector, answers []vectors.Answer) error {
	differs := slices.Clone(answers[:0])
	for i, a := range answers {
		v := asked[i]
		if v.Expect == "" || v.Expect == a.Expect && (v.Reason == "" || v.Reason == a.Reason) {
			continue
		}
		differs = append(differs, a)
		fmt.Fprintf(w, "%s: expected %s %s, got %s %s\n", v.ID, v.Expect, v.Reason, a.Expect, a.Reason)
	}
	if len(differs) > 0 {
		return errOtherwise
	}
	return nil
}

// consentLint checks Consents by their profile. It opens no store.
type consentLint struct {
	Profile string   `help:"Profile to check by: IHE.PCF.consentBasic, IHE.PCF.consentIntermediate or IHE.PCF.consentAdvanced. Default: the highest one claimed in meta.profile." placeholder:"NAME"`
	Files   []string `arg:"" name:"file" help:"FHIR Consents in JSON." type:"existingfile"`
}

// files implements filing.
func (c *consentLint) files() (reads []string, makes string) { return c.Files, "" }

// Run checks each file, and fails when one does not meet its profile.
func (c *consentLint) Run(s *streams) error {
	faults := 0
	for _, name := range c.Files {
		raw, err := s.ReadFile(s.ctx, name)
		if err != nil {
			return fmt.Errorf("the file %s cannot be read: %w", name, err)
		}
		profile, found, err := pcf.Lint(raw, c.Profile)
		if err != nil {
			return fmt.Errorf("%s: %w", name, explain(err))
		}
		if len(found) == 0 {
			fmt.Fprintf(s.out, "%s: meets %s\n", name, profile)
		}
		for _, f := range found {
			fmt.Fprintf(s.out, "%s: %s\n", name, f)
		}
		faults += len(found)
	}
	if faults > 0 {
		return errFailedChecks
	}
	return nil
}

// consentRender prints the form for others. It opens no store.
type consentRender struct {
	File string `arg:"" help:"FHIR Consent in JSON." type:"existingfile"`
}

// Help says more about the command.
func (consentRender) Help() string {
	return "IHE PCF has no element for kinds of data and for functions. A Consent that limits them is printed without those limits and with a modifier extension that carries its scopes, so that a reader who does not know it must not use the rule."
}

// files implements filing.
func (c *consentRender) files() (reads []string, makes string) { return []string{c.File}, "" }

// Run prints the Consent.
func (c *consentRender) Run(s *streams) error {
	raw, err := s.ReadFile(s.ctx, c.File)
	if err != nil {
		return fmt.Errorf("the file %s cannot be read: %w", c.File, err)
	}
	out, err := pcf.Render(raw)
	if err != nil {
		return explain(err)
	}
	_, err = fmt.Fprintf(s.out, "%s\n", out)
	return err
}

// consentWithdrawTemplate withdraws a template (LC-26).
type consentWithdrawTemplate struct {
	storeFlags
	asFlag
	Tenant string `default:"default" help:"Tenant of the grants (default ${default})." placeholder:"ID"`
	Yes    bool   `help:"Do it. What the grants allowed ends at once, and the patients have to be asked again."`
	URI    string `arg:"" name:"uri" help:"The URI, as Consent.policy.uri has it."`
}

// Help says more about the command.
func (consentWithdrawTemplate) Help() string {
	return "Every active grant that names the URI becomes inactive, as a new version with its audit event; what else lets the person in stays. From the first moment on nobody can file a grant under the URI.\n\n" +
		"The grants are looked at in steps of a hundred, each one transaction, and progress is printed. When the command is interrupted, the same command goes on where it stopped; once it is done, it looks at all grants again."
}

// Run withdraws and tells how far it has come.
func (c *consentWithdrawTemplate) Run(s *streams) error {
	if !c.Yes {
		return fmt.Errorf("nothing was withdrawn: every grant made from %s would end; say --yes to do it", c.URI)
	}
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		person, err := a.requireOperator(s, operator.Need{Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "consent withdraw-template"})
		if err != nil {
			return err
		}
		if err := a.ring.Open(s.ctx, c.Tenant); err != nil {
			return err
		}
		service := consent.NewService(consent.Deps{
			Store: a.store, Tx: on(a.store, func(tx store.Tx) consent.FilingTx { return tx }), Clock: a.clock, IDs: a.ids, Signer: a.ring,
		})
		by := audit.Event{Tenant: c.Tenant, PersonID: person}
		out, err := service.WithdrawPolicy(s.ctx, c.Tenant, c.URI, by, func(p consent.Campaign) {
			fmt.Fprintf(s.err, "%d grants looked at, %d ended\n", p.Checked, p.Ended)
		})
		if err != nil {
			return explain(err)
		}
		fmt.Fprintf(s.out, "%s is withdrawn: %d grants looked at, %d ended\n", out.URI, out.Checked, out.Ended)
		return nil
	})
}
