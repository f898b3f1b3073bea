package federation

import (
	"context"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
)

// Provider is what an operator says of an identity provider, whichever protocol it
// speaks.
type Provider struct {
	// Protocol is what it speaks; empty means openid.
	Protocol Protocol `json:"protocol,omitempty"`
	// ID names it in addresses, links and the audit log, for good; Name is how people
	// know it.
	ID   string `json:"id"`
	Name string `json:"name"`
	// For says on which page it is offered.
	For []Audience `json:"for"`
	// Tenants are the ids of those where it counts; empty means the default one.
	Tenants []string `json:"tenants,omitempty"`
	// Assurance gives log-ins their level; the first line that fits counts.
	Assurance []Assurance `json:"assurance,omitempty"`
	// People are the rules by which somebody is found who is not linked yet; the first
	// whose attribute is there counts. None lets in only who linked themself.
	People []Rule `json:"people,omitempty"`
}

// Protocol is how a provider is spoken to.
type Protocol string

// The protocols.
const (
	OpenID Protocol = "openid"
	SAML   Protocol = "saml"
)

// Audience is whom a sign-in page is for.
type Audience string

// The audiences.
const (
	ForPatients Audience = "patients"
	ForStaff    Audience = "staff"
)

// Assurance is one line of the table: log-ins with this acr, or with all of these
// methods, have this level (1 or 2).
type Assurance struct {
	ACR   string   `json:"acr,omitempty"`
	AMR   []string `json:"amr,omitempty"`
	Level int      `json:"level"`
}

// As is what the value of an attribute is.
type As string

// The kinds of value.
const (
	// AsReference is a reference, or a URL below our FHIR base.
	AsReference As = "reference"
	// AsPatient and AsPractitioner are an identifier of the rule's system.
	AsPatient      As = "Patient"
	AsPractitioner As = "Practitioner"
	// AsUsername is the username of an account here.
	AsUsername As = "username"
)

// Rule finds somebody by an attribute, such as a claim.
type Rule struct {
	Attribute string `json:"attribute"`
	As        As     `json:"as"`
	// System is that of the identifier.
	System string `json:"system,omitempty"`
	// Review leaves even a single match to staff.
	Review bool `json:"review,omitempty"`
}

// Said is what a provider says of somebody.
type Said struct {
	Subject, Session string
	ACR              string
	AMR              []string
	// Attributes hold every value by the name of its attribute.
	Attributes map[string][]string
}

// One gives the only value of an attribute, "" for none and for several.
func (s Said) One(name string) string {
	if v := s.Attributes[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// Hit is a resource with an identifier.
type Hit struct {
	Reference fhir.Reference
	// BirthDate is a FHIR date, empty where the resource has none.
	BirthDate string
}

// Finder looks resources up; it gives limit of them at most. Errors: errs.Upstream,
// errs.Unavailable.
type Finder interface {
	ByIdentifier(ctx context.Context, typ, system, value string, limit int) ([]Hit, error)
}

// Serves reports whether the provider counts at a tenant.
func (p Provider) Serves(tenant string) bool {
	if len(p.Tenants) == 0 {
		return tenant == "default"
	}
	return slices.Contains(p.Tenants, tenant)
}

// Level gives the assurance of a log-in: the lowest where no line fits.
func (p Provider) Level(s Said) identity.Level {
	for _, a := range p.Assurance {
		fits := a.ACR == "" || a.ACR == s.ACR
		for _, m := range a.AMR {
			fits = fits && slices.Contains(s.AMR, m)
		}
		if !fits {
			continue
		}
		if a.Level == 2 {
			return identity.AAL2
		}
		return identity.AAL1
	}
	return identity.AAL1
}

// mostFound is how many resources are looked at: more than one is ambiguous.
const mostFound = 5

// Identify says by the rules who somebody is here. Errors: those of Finder.
func (p Provider) Identify(ctx context.Context, find Finder, base string, s Said) (n identity.Named, err error) {
	for _, r := range p.People {
		value := s.One(r.Attribute)
		if value == "" {
			continue
		}
		n.Sure = !r.Review
		switch r.As {
		case AsUsername:
			n.Username = value
		case AsReference:
			if ref, ok := fhir.ParseReference(strings.TrimPrefix(value, base+"/")); ok {
				n.Found = []fhir.Reference{ref}
			}
		case AsPatient, AsPractitioner:
			err = identified(ctx, find, r, value, s.One("birthdate"), &n)
		}
		return n, err
	}
	return n, nil
}

// identified looks for the resources with an identifier. A date of birth that
// contradicts leaves the match to staff.
func identified(ctx context.Context, find Finder, r Rule, value, born string, n *identity.Named) error {
	if strings.ContainsAny(value, "|,$\\ \t\r\n") || len(value) > 128 {
		return nil
	}
	hits, err := find.ByIdentifier(ctx, string(r.As), r.System, value, mostFound)
	for _, h := range hits {
		n.Found = append(n.Found, h.Reference)
		if born != "" && h.BirthDate != "" && born != h.BirthDate {
			n.Sure = false
		}
	}
	return err
}

// Shown are the attributes that staff see of somebody whom no rule is sure of.
func (p Provider) Shown(s Said) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"name", "birthdate"} {
		if v := s.One(name); v != "" {
			out[name] = v
		}
	}
	for _, r := range p.People {
		if v := s.One(r.Attribute); v != "" {
			out[r.Attribute] = v
		}
	}
	return out
}
