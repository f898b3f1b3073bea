package consent

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// maxBytes bounds what Parse reads; a Consent larger than this is refused.
const maxBytes = 1 << 20

// Consent is what the engine understood of a FHIR R4 Consent.
type Consent struct {
	ID string
	// Version is meta.versionId when it is a number; the record's wins.
	Version int
	Status  string
	Kind    Kind
	// Patient is the logical id, "" when missing or unreadable.
	Patient string
	// Given is Consent.dateTime, UTC; zero when missing or unreadable.
	Given      time.Time
	Performers []fhir.Reference
	Custodians []fhir.Reference
	// Categories are the codings of category, flattened.
	Categories []fhir.Coding
	// Policies are the URIs of policy.uri.
	Policies []string
	// Rule holds the codings of policyRule.
	Rule []fhir.Coding
	// Signatures is the number of performers that must have signed.
	Signatures int
	// ReviewDue ends a springing grant when nobody renews it, UTC.
	ReviewDue time.Time
	// Root is the root provision; HasRoot tells absence from emptiness.
	Root    Provision
	HasRoot bool
	// Faults are the element paths that were not understood. A grant with a
	// fault is nothing; a prohibition with faults still denies (EV-04).
	Faults []string
}

const keysConsent = " resourceType id meta language text contained extension identifier status scope" +
	" category patient dateTime performer organization sourceAttachment sourceReference policy" +
	" policyRule verification provision _id _status _dateTime _language "

// Parse reads a Consent. It is tolerant where tolerance is safe: what it
// cannot understand is listed in Faults and makes a grant void, while a
// prohibition keeps denying (EV-04, PC-12). Bytes that are not a JSON object
// of type Consent give errs.Invalid together with a value that, compiled,
// denies every proxy.
//
// Dates without a time of day are days in the offset that the Consent writes: in
// the same period, else around it, else in Consent.dateTime, else UTC.
func Parse(raw []byte) (Consent, error) { return ParseIn(raw, nil) }

// ParseIn is Parse of a Consent about somebody who lives in a zone: their days begin
// and end there, whatever offset the Consent writes elsewhere. A nil zone is Parse.
func ParseIn(raw []byte, zone *time.Location) (Consent, error) {
	d, ok := documents.Get().(*document)
	if !ok {
		d = new(document)
	}
	defer func() {
		d.empty()
		documents.Put(d)
	}()
	root, err := decode(d, raw)
	if err != nil {
		return unreadable(), err
	}
	r := &reader{zone: zone, written: offset(root.get("dateTime"))}
	c := r.consent(root)
	if len(r.faults) > 0 {
		r = &reader{paths: true, zone: zone, written: r.written}
		c = r.consent(root)
		slices.Sort(r.faults)
		c.Faults = slices.Compact(r.faults)
	}
	return c, nil
}

func (r *reader) consent(m value) Consent {
	r.object(m, "Consent", keysConsent)
	r.modifiers(m, "Consent")
	c := Consent{
		ID:     r.text(m.get("id"), "Consent.id"),
		Status: r.text(m.get("status"), "Consent.status"),
	}
	c.Version, _ = strconv.Atoi(m.get("meta").get("versionId").str())
	if !m.get("patient").absent() {
		if ref, ok := r.reference(m.get("patient"), "Consent.patient"); ok && ref.Type == "Patient" {
			c.Patient = ref.ID
		}
	}
	c.Performers = r.references(m.get("performer"), "Consent.performer")
	c.Custodians = r.references(m.get("organization"), "Consent.organization")
	c.Categories, _ = r.concepts(m.get("category"), "Consent.category")
	c.Policies = r.policies(m.get("policy"))
	var ruleRead bool
	c.Rule, ruleRead = r.concept(m.get("policyRule"), "Consent.policyRule")
	c.Root, c.HasRoot = r.provision(m.get("provision"), "Consent.provision", 1, nil)
	zone := r.days(c.Root.offset)
	if given, ok := r.date(m.get("dateTime"), "Consent.dateTime", zone); ok {
		c.Given = given.Start
	}
	r.extensions(m.get("extension"), zone, &c)
	scope, _ := r.concept(m.get("scope"), "Consent.scope")
	elsewhere := isElsewhere(scope)
	if !elsewhere && !isPrivacy(scope) {
		r.fault("Consent.scope")
	}
	c.Kind = classify(c, elsewhere, ruleRead)
	return c
}

// unreadable denies everybody: a prohibition without any restriction.
func unreadable() Consent {
	return Consent{Kind: KindProhibition, Faults: []string{"Consent"}}
}

func decode(d *document, raw []byte) (value, error) {
	if len(raw) > maxBytes {
		return value{}, errs.New(errs.TooLarge, "consent-too-large", "A Consent may have 1 MiB at most.")
	}
	v, err := d.read(raw)
	if err != nil {
		return value{}, errs.New(errs.Invalid, "consent-not-json", "The Consent is not well-formed JSON.")
	}
	if v.get("resourceType").str() != "Consent" {
		return value{}, errs.New(errs.Invalid, "consent-wrong-type", "The resource is not a Consent.")
	}
	return v, nil
}

func (r *reader) references(v value, path string) (out []fhir.Reference) {
	l, _ := r.list(v, path)
	for i := range l.len() {
		if ref, ok := r.reference(l.item(i), r.at(path, i)); ok {
			out = append(out, ref)
		}
	}
	return out
}

func (r *reader) policies(v value) (out []string) {
	l, _ := r.list(v, "Consent.policy")
	for i := range l.len() {
		path := r.at("Consent.policy", i)
		m := r.object(l.item(i), path, " id extension authority uri ")
		if m.absent() {
			r.fault(path)
			continue
		}
		if uri := r.text(m.get("uri"), r.sub(path, "uri")); uri != "" {
			out = append(out, uri)
		}
	}
	return out
}

// extensions reads the two extensions that bear on a decision, by the end of
// their URL. Others are not modifiers and may be passed over.
func (r *reader) extensions(v value, zone *time.Location, c *Consent) {
	l, _ := r.list(v, "Consent.extension")
	for i := range l.len() {
		path := r.at("Consent.extension", i)
		m := l.item(i)
		if !m.is(isObject) {
			r.fault(path)
			continue
		}
		url := m.get("url").str()
		switch {
		case strings.HasSuffix(url, "/consent-required-signatures"):
			n, ok := m.get("valueUnsignedInt").number()
			if !ok || n < 0 || n > 100 || n != math.Trunc(n) {
				r.fault(path)
				continue
			}
			c.Signatures = max(c.Signatures, int(n))
		case strings.HasSuffix(url, "/consent-activation"):
			r.activation(m.get("extension"), path, zone, c)
		}
	}
}

func (r *reader) activation(v value, path string, zone *time.Location, c *Consent) {
	l, _ := r.list(v, r.sub(path, "extension"))
	for i := range l.len() {
		m := l.item(i)
		if !m.is(isObject) {
			r.fault(r.at(r.sub(path, "extension"), i))
			continue
		}
		if m.get("url").str() != "reviewDue" {
			continue
		}
		written := m.get("valueDate")
		if written.absent() {
			written = m.get("valueDateTime")
		}
		due, ok := r.date(written, r.at(r.sub(path, "extension"), i), zone)
		if !ok {
			r.fault(r.at(r.sub(path, "extension"), i))
		}
		if c.ReviewDue.IsZero() || due.End.Before(c.ReviewDue) {
			c.ReviewDue = due.End
		}
	}
}

// classify applies EV-03. It fails to prohibition.
func classify(c Consent, elsewhere, ruleRead bool) Kind {
	if elsewhere {
		if c.onlyDevices() {
			return KindAppApproval
		}
		return KindOther
	}
	grant := false
	switch optsOut, optsIn := hasRule(c.Rule, "OPTOUT", "OPTOUTE"), hasRule(c.Rule, "OPTIN", "OPTINR"); {
	case optsOut || !ruleRead:
	case optsIn:
		grant = true
	case c.Root.Type == "permit":
		grant = true
	case c.Root.Type == "deny":
		grant = len(c.Root.Actors) > 0 && c.Root.nests("permit")
	}
	switch {
	case !grant:
		return KindProhibition
	case c.onlyDevices():
		return KindAppApproval
	}
	return KindGrant
}

func isPrivacy(scope []fhir.Coding) bool {
	for _, s := range scope {
		if s.System == systemConsentScope && s.Code == "patient-privacy" {
			return true
		}
	}
	return false
}

// isElsewhere recognises the scopes of Consents that are not about privacy.
// Any other scope may be a privacy Consent that was miswritten.
func isElsewhere(scope []fhir.Coding) bool {
	if isPrivacy(scope) {
		return false
	}
	for _, s := range scope {
		switch {
		case s.System == systemConsentScope && (s.Code == "adr" || s.Code == "research" || s.Code == "treatment"),
			s.System == systemLOINC:
			return true
		}
	}
	return false
}

func hasRule(rule []fhir.Coding, codes ...string) bool {
	for _, c := range rule {
		for _, code := range codes {
			if c.System == fhir.SystemActCode && c.Code == code {
				return true
			}
		}
	}
	return false
}

// onlyDevices reports whether every actor of the Consent is a Device and
// there is one: the mark of an app approval (D14).
func (c Consent) onlyDevices() bool {
	refs := c.ActorReferences()
	for _, ref := range refs {
		if ref.Type != "Device" {
			return false
		}
	}
	return len(refs) > 0 && !c.Root.unread.has(dimActor)
}

// ActorReferences gives every actor named at any level, once, in order.
func (c Consent) ActorReferences() []fhir.Reference {
	var out []fhir.Reference
	seen := map[fhir.Reference]bool{}
	var walk func(p Provision)
	walk = func(p Provision) {
		for _, a := range p.Actors {
			if !seen[a.Reference] {
				seen[a.Reference] = true
				out = append(out, a.Reference)
			}
		}
		for _, n := range p.Nested {
			walk(n)
		}
	}
	walk(c.Root)
	return out
}
