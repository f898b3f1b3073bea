package identity

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

// KeyRules says which models of passkeys and security keys may be used (SM-05). A model
// is the AAGUID of its maker, as lower-case hexadecimal digits with hyphens.
type KeyRules struct {
	// Staff lists the models of which staff and people at particular risk need one;
	// their maker has to vouch for them. Empty asks for no model.
	Staff []string
	// Refused lists models that nobody may use. An authenticator that lies about its
	// model is found out only where its maker has to vouch.
	Refused []string
}

// ParseModel reads an AAGUID with or without hyphens, and gives the form in which
// models are listed. Errors: errs.Invalid with code passkey-model-unreadable.
func ParseModel(text string) (string, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(text), "-", ""))
	if err != nil || len(raw) != 16 {
		return "", errs.New(errs.Invalid, "passkey-model-unreadable", fmt.Sprintf("%q is no AAGUID: 32 hexadecimal digits, with hyphens or without.", text))
	}
	return modelText(raw), nil
}

func modelText(raw []byte) string {
	s := hex.EncodeToString(raw)
	if len(s) != 32 {
		return ""
	}
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// Model gives the AAGUID of a passkey, "" for none.
func (k Passkey) Model() string { return modelText(k.AAGUID) }

// guarded reports whether a person needs keys that stay on their device.
func guarded(p Person) bool { return p.Role.Staff() || p.HighRisk }

// Attests reports whether the maker of a person's authenticator is to vouch for it.
// Nobody else is asked: what a maker says makes people easier to tell apart.
func (r KeyRules) Attests(p Person) bool { return len(r.Staff) > 0 && guarded(p) }

// Judge refuses a passkey that a person may not use: of a model that nobody may; and
// for staff and people at particular risk one that can leave its device (SM-05, NI-04),
// of a model that is not listed, or that its maker does not vouch for. It is asked at
// the enrolment and at each log-in, so that a rule counts for keys from before it.
// Errors: errs.Forbidden with code passkey-model, passkey-synced or passkey-unattested.
func (r KeyRules) Judge(p Person, k Passkey) error {
	switch {
	case slices.Contains(r.Refused, k.Model()):
		return errs.New(errs.Forbidden, "passkey-model", "This organization does not accept keys of this model.")
	case !guarded(p):
		return nil
	case k.Synced:
		return errs.New(errs.Forbidden, "passkey-synced",
			"This passkey can be copied to other devices. Staff and people at particular risk need one that stays on its device, such as a security key.")
	case len(r.Staff) == 0:
		return nil
	case !slices.Contains(r.Staff, k.Model()):
		return errs.New(errs.Forbidden, "passkey-model", "This organization does not accept keys of this model.")
	case !k.Vouched:
		return errs.New(errs.Forbidden, "passkey-unattested", "The maker of this key does not vouch for it, or is not known here.")
	}
	return nil
}
