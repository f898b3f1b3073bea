package oauth

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// UDAP is what is kept of a client that is known by its certificate.
type UDAP struct {
	// Issuer is the URI by which its certificate names it, Community that of the
	// trust community whose anchors the certificate leads to.
	Issuer    string `json:"iss"`
	Community string `json:"community"`
	// Chains are the certificates that it showed, base64 DER, leaf first and
	// anchor last; the newest is last. When one of them is revoked, the client's
	// live tokens die.
	Chains [][]string `json:"x5c,omitempty"`
	// Cancelled says that the client took itself off.
	Cancelled bool `json:"cancelled,omitempty"`
}

// maxChains is how many certificates of a client are remembered.
const maxChains = 4

// Knows reports whether the chain's leaf was shown before.
func (u UDAP) Knows(chain []string) bool {
	return slices.ContainsFunc(u.Chains, func(have []string) bool { return have[0] == chain[0] })
}

// Remember gives the record with a chain that was shown now.
func (u UDAP) Remember(chain []string) UDAP {
	if u.Knows(chain) {
		return u
	}
	u.Chains = append(slices.Clone(u.Chains), chain)
	u.Chains = u.Chains[max(0, len(u.Chains)-maxChains):]
	return u
}

// B2B is the hl7-b2b extension of an assertion: who asks, and for what purpose
// (UDP-29…31). It belongs to one access token.
type B2B struct {
	Version          string   `json:"version"`
	SubjectName      string   `json:"subject_name,omitempty"`
	SubjectID        string   `json:"subject_id,omitempty"`
	SubjectRole      string   `json:"subject_role,omitempty"`
	OrganizationName string   `json:"organization_name,omitempty"`
	OrganizationID   string   `json:"organization_id"`
	PurposeOfUse     []string `json:"purpose_of_use"`
	ConsentPolicy    []string `json:"consent_policy,omitempty"`
	ConsentReference []string `json:"consent_reference,omitempty"`
}

// The greatest sizes in an hl7-b2b extension: of one text in bytes, and of a
// list.
const (
	maxB2BText = 512
	maxB2BList = 16
)

// ParseB2B reads and judges an hl7-b2b extension; purposes are the codes of
// v3-PurposeOfUse that may be stated. Errors: errs.InvalidGrant with code
// udap-b2b-missing, udap-b2b-malformed or udap-purpose.
func ParseB2B(raw json.RawMessage, purposes []string) (*B2B, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, errs.New(errs.InvalidGrant, "udap-b2b-missing", "The client assertion has no hl7-b2b extension, which client_credentials needs.")
	}
	var b B2B
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, errB2B("it cannot be read")
	}
	if why := b.fault(); why != "" {
		return nil, errB2B(why)
	}
	for _, p := range b.PurposeOfUse {
		code := p[strings.LastIndexAny(p, "#:|")+1:]
		if !slices.Contains(purposes, code) {
			return nil, errs.New(errs.InvalidGrant, "udap-purpose", "A purpose of use in the hl7-b2b extension is not one that is served here.")
		}
	}
	return &b, nil
}

// Detail is what audit events say of it.
func (b B2B) Detail() map[string]string {
	d := map[string]string{"organization_id": b.OrganizationID, "purpose_of_use": strings.Join(b.PurposeOfUse, " ")}
	for name, text := range map[string]string{
		"organization_name": b.OrganizationName, "subject_id": b.SubjectID, "subject_name": b.SubjectName, "subject_role": b.SubjectRole,
	} {
		if text != "" {
			d[name] = text
		}
	}
	return d
}

// fault tells what is wrong with the members, "" when nothing is.
func (b B2B) fault() string {
	for _, text := range []string{b.SubjectName, b.SubjectID, b.SubjectRole, b.OrganizationName, b.OrganizationID} {
		if len(text) > maxB2BText {
			return "a text is too long"
		}
	}
	for _, list := range [][]string{b.PurposeOfUse, b.ConsentPolicy, b.ConsentReference} {
		if len(list) > maxB2BList || slices.ContainsFunc(list, func(s string) bool { return s == "" || len(s) > maxB2BText }) {
			return "a list is too long, or holds an empty or too long text"
		}
	}
	switch {
	case b.Version != "1":
		return `version must be "1"`
	case !absolute(b.OrganizationID):
		return "organization_id must be a URI"
	case len(b.PurposeOfUse) == 0:
		return "purpose_of_use must hold at least one code"
	case b.SubjectName != "" && b.SubjectRole == "":
		return "subject_role must go with subject_name"
	case len(b.ConsentReference) > 0 && len(b.ConsentPolicy) == 0:
		return "consent_reference must go with consent_policy"
	case slices.ContainsFunc(b.ConsentReference, func(s string) bool { return !strings.HasPrefix(s, "https://") || !absolute(s) }):
		return "consent_reference must hold absolute URLs"
	}
	return ""
}

func absolute(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "")
}

func errB2B(why string) error {
	return errs.New(errs.InvalidGrant, "udap-b2b-malformed", "The hl7-b2b extension is refused: "+why+".")
}

// CertifiedAssertion is a client assertion that a trusted certificate proved.
type CertifiedAssertion struct {
	// JTI is used once until Until.
	JTI   string
	Until time.Time
	// Chain leads from the certificate to the anchor, base64 DER.
	Chain []string
	// Extensions are the authorization extensions, unread.
	Extensions map[string]json.RawMessage
}
