package consent

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Options are the facts that the engine cannot read out of a Consent.
type Options struct {
	// PolicyPrefixes are the beginnings of known policy URIs; none means
	// DefaultPolicyPrefixes. A grant under another URI is nothing (EV-04).
	PolicyPrefixes []string
	// Withdrawn are policy or template URIs that no longer count (LC-26).
	Withdrawn []string
	// Authorities are the performers, other than the patient, whose
	// authority over the patient's Consents is verified. Without an entry a
	// RelatedPerson may only sign for itself under a representative policy.
	Authorities []fhir.Reference
	// Zone is where the patients live; nil takes what each Consent writes (ParseIn).
	Zone *time.Location
}

// DefaultPolicyPrefixes gives the policy URIs that Mandate defines and those
// of the published example Consents.
func DefaultPolicyPrefixes() []string {
	return []string{"https://mandate.example/policy/", "https://portal.example.org/policy/"}
}

// Policy is the compiled set of privacy Consents of one patient. It is
// immutable, safe for concurrent use, and the same for any order of Consents.
type Policy struct {
	patient      string
	epoch        int64
	grants       []grant
	prohibitions []prohibition
	cases        []Case
	// ended holds the ids of app approvals that are no longer active.
	ended map[string]bool
}

// Case is a Consent that a person should look at: it did not do what somebody
// may have meant (EV-04).
type Case struct {
	// Consent is "Consent/id/_history/n".
	Consent string
	// Fault is an element path or a short cause, without content.
	Fault string
}

// Patient gives the logical id of the patient.
func (p *Policy) Patient() string { return p.patient }

// Epoch gives the consent epoch from which the policy was compiled.
func (p *Policy) Epoch() int64 { return p.epoch }

// ApprovalEnded reports whether the Consent that records an app approval was
// withdrawn: the grant that rests on it is then over, however it was withdrawn
// (REV-03). No policy has ended none.
func (p *Policy) ApprovalEnded(id string) bool { return p != nil && p.ended[id] }

// Cases gives the Consents that could not be understood or do not count.
func (p *Policy) Cases() []Case { return slices.Clone(p.cases) }

type grant struct {
	id       string
	versions []string
	policies []string
	from     time.Time
	// until is the review date of a springing grant; zero when none.
	until          time.Time
	root           rule
	permits, carve []rule
	part2Complete  bool
	// template holds the functions where no action states them; zero means
	// that no policy says anything of them.
	template       functionSet
	accessOnly     bool
	knownCategory  bool
	representative bool
	obligations    [2][]string
}

type prohibition struct {
	id       string
	versions []string
	root     rule
	denies   []rule
	excepts  []rule
}

// Compile builds the policy of one patient (a logical id). Consents of other
// patients, of other kinds and those no longer in force are left out; a
// Consent whose patient cannot be read still denies.
func Compile(patient string, epoch int64, consents []Consent, o Options) *Policy {
	if o.PolicyPrefixes == nil {
		o.PolicyPrefixes = DefaultPolicyPrefixes()
	}
	p := &Policy{patient: patient, epoch: epoch}
	for i := range consents {
		c := &consents[i]
		if c.Patient != "" && c.Patient != patient {
			continue
		}
		switch c.Kind {
		case KindGrant:
			if c.Status == "active" {
				p.addGrant(c, o)
			}
		case KindProhibition:
			if inForce(c.Status) {
				p.addProhibition(c)
			}
		}
	}
	slices.SortFunc(p.grants, func(a, b grant) int { return compareConsents(a.id, b.id, a.versions, b.versions) })
	slices.SortFunc(p.prohibitions, func(a, b prohibition) int {
		return compareConsents(a.id, b.id, a.versions, b.versions)
	})
	slices.SortFunc(p.cases, func(a, b Case) int {
		return strings.Compare(a.Consent+"\x00"+a.Fault, b.Consent+"\x00"+b.Fault)
	})
	return p
}

func compareConsents(a, b string, av, bv []string) int {
	if d := strings.Compare(a, b); d != 0 {
		return d
	}
	return strings.Compare(av[0], bv[0])
}

// inForce says whether a prohibition counts: it ends only by a status that
// says so; a status that cannot be read keeps it.
func inForce(status string) bool {
	switch status {
	case "draft", "proposed", "rejected", "inactive", "entered-in-error":
		return false
	}
	return true
}

func versioned(id string, version int) string {
	return "Consent/" + id + "/_history/" + strconv.Itoa(version)
}

func (p *Policy) addGrant(c *Consent, o Options) {
	name := versioned(c.ID, c.Version)
	if fault := grantFault(c, p.patient, o); fault != "" {
		p.cases = append(p.cases, Case{Consent: name, Fault: fault})
		return
	}
	g := grant{
		id: c.ID, versions: []string{name}, policies: c.Policies, from: c.Given, until: c.ReviewDue,
		root:           compileRule(c.Root, false),
		template:       templateFunctions(c.Policies),
		accessOnly:     c.hasCategory("INFAO"),
		knownCategory:  c.hasConsentType(),
		representative: underPolicy(c.Policies, "/representative/"),
		part2Complete:  part2Complete(c, p.patient),
	}
	for _, n := range c.Root.Nested {
		compiled := compileRule(n, n.Type == "deny")
		switch {
		case n.Type == "deny":
			g.carve = append(g.carve, compiled)
		case len(c.Root.Actors)+len(n.Actors) > 0:
			g.permits = append(g.permits, compiled)
		}
	}
	g.root.permit = len(c.Root.Actors) > 0 && (c.Root.Type == "permit" || permitsByRule(c))
	base := []string{ObligationWatermark}
	if g.accessOnly {
		base = append(base, ObligationNoDownload)
	}
	g.obligations = [2][]string{base, append(slices.Clone(base), ObligationPart2Notice)}
	p.grants = append(p.grants, g)
}

// permitsByRule: R4 leaves the root's type out, then an opt-in policyRule says
// that the root permits (CN-15), unless nested permits pick out what it does.
func permitsByRule(c *Consent) bool {
	return c.Root.Type == "" && hasRule(c.Rule, "OPTIN", "OPTINR") && !c.Root.nests("permit")
}

func (p *Policy) addProhibition(c *Consent) {
	name := versioned(c.ID, c.Version)
	x := prohibition{id: c.ID, versions: []string{name}, root: compileRule(c.Root, true)}
	for _, n := range c.Root.Nested {
		switch {
		case n.Type == "permit" && len(c.Faults) == 0:
			x.excepts = append(x.excepts, compileRule(n, false))
		case n.Type == "deny":
			x.denies = append(x.denies, compileRule(n, true))
		}
	}
	for _, f := range c.Faults {
		p.cases = append(p.cases, Case{Consent: name, Fault: f})
	}
	p.prohibitions = append(p.prohibitions, x)
}

// grantFault applies EV-04 and says why a grant is nothing, or "".
func grantFault(c *Consent, patient string, o Options) string {
	if len(c.Faults) > 0 {
		return c.Faults[0]
	}
	switch {
	case c.Patient != patient:
		return "Consent.patient"
	case c.Given.IsZero():
		return "Consent.dateTime"
	case !c.HasRoot:
		return "Consent.provision"
	case c.hasCategory("EMRGONLY"):
		// No decision knows yet whether there is an emergency (FX-34).
		return "Consent.category: for emergencies only"
	case distinct(c.Performers) < max(c.Signatures, 1):
		return "Consent.performer: signatures missing"
	case competent(c, patient, o) == 0:
		return "Consent.performer"
	}
	for _, uri := range c.Policies {
		if slices.Contains(o.Withdrawn, uri) || !hasPrefix(uri, o.PolicyPrefixes) {
			return "Consent.policy.uri"
		}
	}
	return ""
}

// mayPerform reports whether ref could agree for the patient. A designated
// proxy never can for another proxy (EV-04).
func mayPerform(c *Consent, ref fhir.Reference, patient string, o Options) bool {
	if ref == (fhir.Reference{Type: "Patient", ID: patient}) || slices.Contains(o.Authorities, ref) {
		return true
	}
	if ref.Type != "RelatedPerson" ||
		!underPolicy(c.Policies, "/representative/") && !underPolicy(c.Policies, "/minor-caregiver/") {
		return false
	}
	actors := c.ActorReferences()
	return len(actors) == 1 && actors[0] == ref
}

func underPolicy(uris []string, segment string) bool {
	return slices.ContainsFunc(uris, func(uri string) bool { return strings.Contains(uri, segment) })
}

func hasPrefix(uri string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(uri, p) })
}

func distinct(refs []fhir.Reference) int {
	seen := map[fhir.Reference]bool{}
	for _, r := range refs {
		seen[r] = true
	}
	return len(seen)
}

// competent counts the performers who could agree for the patient, each once: the
// signature of somebody who could not is none.
func competent(c *Consent, patient string, o Options) int {
	seen := map[fhir.Reference]bool{}
	for _, r := range c.Performers {
		if mayPerform(c, r, patient, o) {
			seen[r] = true
		}
	}
	return len(seen)
}

// part2Complete checks the elements of a 42 CFR 2.31 consent that a Consent
// can state: named recipient, discloser, purpose, end, signer and date.
func part2Complete(c *Consent, patient string) bool {
	for _, ref := range c.ActorReferences() {
		switch ref.Type {
		case "RelatedPerson", "Patient", "Practitioner":
		default:
			return false
		}
	}
	signed := slices.Contains(c.Performers, fhir.Reference{Type: "Patient", ID: patient})
	return signed && len(c.Custodians) > 0 && len(c.Root.Purposes) > 0 && !c.Root.Period.End.IsZero()
}

func (c *Consent) hasCategory(code string) bool {
	return slices.Contains(c.Categories, fhir.Coding{System: fhir.SystemActCode, Code: code})
}

func (c *Consent) hasConsentType() bool {
	return slices.ContainsFunc(c.Categories, func(x fhir.Coding) bool {
		return x.System == fhir.SystemActCode && (strings.HasPrefix(x.Code, "INF") || strings.HasPrefix(x.Code, "IDSCL"))
	})
}

// Versions gives the versions of one Consent that decides, "Consent/id/_history/n";
// none for a Consent that decides nothing.
func (p *Policy) Versions(id string) []string {
	for i := range p.prohibitions {
		if p.prohibitions[i].id == id {
			return slices.Clone(p.prohibitions[i].versions)
		}
	}
	for i := range p.grants {
		if p.grants[i].id == id {
			return slices.Clone(p.grants[i].versions)
		}
	}
	return nil
}
