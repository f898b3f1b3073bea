package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/health"
)

// RulesConfig says how strictly each rule of the decision point is applied to
// records of the FHIR server. Rules without a setting are always enforced.
type RulesConfig struct {
	Scope       string `name:"rule-scope" key:"scope" default:"enforce" enum:"enforce,audit,off" help:"Rule that a scope covers what is asked for: enforce, audit (let pass and note it) or off. Not to be loosened in production."`
	Compartment string `name:"rule-compartment" key:"compartment" default:"enforce" enum:"enforce,audit,off" help:"Rule that what leaves is about the patient of the connection: enforce, audit or off. Not to be loosened in production."`
	Consent     string `name:"rule-consent" key:"consent" default:"enforce" enum:"enforce,audit,off" help:"Rule that the patient's consents open a record to somebody who acts for the patient: enforce, audit or off. Not to be loosened in production."`
	Label       string `name:"rule-label" key:"label" default:"enforce" enum:"enforce,audit,off" help:"Rule that an app sees only the sensitive topics that the patient ticked: enforce, audit or off. Not to be loosened in production."`
	Law         string `name:"rule-law" key:"law" default:"enforce" enum:"enforce,audit,off" help:"Rule that keeps back psychotherapy notes, records under 42 CFR Part 2 and what must be talked about first: enforce, audit or off. Not to be loosened in production."`
	Type        string `name:"rule-type" key:"type" default:"enforce" enum:"enforce,audit,off" help:"Rule that keeps types from somebody who acts for the patient which tell who else has access: enforce, audit or off. Not to be loosened in production."`
	Log         string `name:"rule-log" key:"log" default:"enforce" enum:"enforce,audit,off" help:"Rule about who reads audit events of the FHIR server: enforce, audit or off. Not to be loosened in production."`
	Parameter   string `name:"rule-parameter" key:"parameter" default:"enforce" enum:"enforce,audit,off" help:"Rule against search parameters by which hidden data could be told: enforce, audit or off. Not to be loosened in production."`
	Rewrite     string `name:"rule-rewrite" key:"rewrite" default:"enforce" enum:"enforce,audit,off" help:"Narrowing of searches before they are sent: enforce, or off for a FHIR server that does not take the parameters. Answers are filtered in any case."`
	Input       string `name:"rule-input" key:"input" default:"enforce" enum:"enforce,audit,off" help:"Checks of what apps ask by and want stored beyond its form, the search parameters, the narrative and the shapes of references: enforce, audit or off."`
	Reference   string `name:"rule-reference" key:"reference" default:"enforce" enum:"enforce,audit,off" help:"Rule that what leaves does not tell of hidden records by referring to them: enforce, audit or off. Not to be loosened in production."`
	Upload      string `name:"rule-upload" key:"upload" default:"enforce" enum:"enforce,audit,off" help:"Refusal of documents that hold a whole record whose parts cannot be judged (CDA, HL7 v2, FHIR): enforce, audit or off."`
	// Unsafe lets rules be loosened in production that keep data from people.
	Unsafe bool `name:"unsafe-loosened-rules" key:"unsafe_loosened" help:"Allow rules to be loosened that keep data from people. Whoever connects then sees what they must not."`
}

// texts gives the settings by rule.
func (c *RulesConfig) texts() map[string]string {
	return map[string]string{
		"scope": c.Scope, "compartment": c.Compartment, "consent": c.Consent, "label": c.Label, "law": c.Law, "type": c.Type,
		"log": c.Log, "parameter": c.Parameter, "rewrite": c.Rewrite, "input": c.Input, "reference": c.Reference, "upload": c.Upload,
	}
}

// modes gives the settings as decisions take them; Validate has read them before.
func (c *RulesConfig) modes() access.Modes {
	m, _ := access.ParseModes(c.texts())
	return m
}

func (c *RulesConfig) validate(dev bool, f *config.Faults) {
	for rule, text := range c.texts() {
		if _, err := access.ParseModes(map[string]string{rule: text}); err != nil {
			f.Add("rules."+rule, "%q is not enforce, audit or off", text)
		}
	}
	if dev || c.Unsafe {
		return
	}
	for _, l := range c.modes().Loosened() {
		if l.Care == access.Guarded {
			f.Add("rules."+l.Rule, "the rule keeps data from people: it is not set to %s without rules.unsafe_loosened", l.Mode)
		}
	}
}

// warn says loudly what is not enforced.
func (c *RulesConfig) warn(ctx context.Context, log *slog.Logger) {
	for _, l := range c.modes().Loosened() {
		if l.Care == access.Guarded {
			log.ErrorContext(ctx, "UNSAFE: a rule that keeps data from people is not enforced", "rule", l.Rule, "state", l.Mode.String())
		} else {
			log.WarnContext(ctx, "a rule is not enforced", "rule", l.Rule, "state", l.Mode.String())
		}
	}
}

// policyModes reads the modes of a policy file: the table [rules] of a
// configuration file, which may hold other settings too. They need no switch,
// because nothing is served by them. Errors: every fault at once.
func policyModes(path string) (access.Modes, error) {
	c := Config{Dev: true}
	_, err := config.Load(&c, config.Sources{File: path})
	if err != nil {
		return access.Modes{}, err
	}
	return c.Rules.modes(), nil
}

// ruleChecks tell which rules are not enforced.
func (d *doctor) ruleChecks() []health.Check {
	return []health.Check{
		ask("rules-guarded", "whether every rule that keeps data from people is enforced", "remove the rule's line under [rules]", func() health.Finding {
			return health.Want(d.loosened(access.Guarded) == "", "not enforced: %s", cmp.Or(d.loosened(access.Guarded), "none"))
		}),
		ask("rules-free", "whether the other rules are enforced", "remove the rule's line under [rules]", func() health.Finding {
			return health.Wish(d.loosened(access.Free) == "", "not enforced: %s", cmp.Or(d.loosened(access.Free), "none"))
		}),
	}
}

// loosened lists the rules of one degree of care that are not enforced.
func (d *doctor) loosened(care access.Care) string {
	var out []string
	for _, l := range d.cfg.Rules.modes().Loosened() {
		if l.Care == care {
			out = append(out, l.Rule+"="+l.Mode.String())
		}
	}
	return strings.Join(out, " ")
}

// configRules prints the rules.
type configRules struct {
	configured
	Dev    bool   `help:"Check as for mandate dev."`
	Policy string `help:"Take the modes from this file, which may hold the table [rules] alone." placeholder:"FILE" type:"existingfile"`
}

// Run prints every rule with its mode and whether it may be loosened.
func (c *configRules) Run(s *streams) error {
	var modes access.Modes
	var err error
	if c.Policy != "" {
		modes, err = policyModes(c.Policy)
	} else {
		c.Settings.Dev = c.Dev
		_, err = c.load(s)
		modes = c.Settings.Rules.modes()
	}
	if err != nil {
		return err
	}
	for _, rule := range access.Rules() {
		fmt.Fprintf(s.out, "%-12s %-8s %s\n", rule, modes.Of(rule), careTexts[access.CareOf(rule)])
	}
	return nil
}

var careTexts = map[access.Care]string{
	access.Free:    "may be loosened",
	access.Guarded: "keeps data from people: loosened in production only with rules.unsafe_loosened",
	access.Fixed:   "always enforced",
}
