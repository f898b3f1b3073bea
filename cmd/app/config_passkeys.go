package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/health"
)

// PasskeyConfig says which models of passkeys and security keys may be used.
type PasskeyConfig struct {
	// StaffModels are those of which staff and people at particular risk need one.
	StaffModels []string `name:"passkey-staff-model" key:"staff_models" help:"AAGUID of a model of security key that staff, and people at particular risk, may use; its maker has to vouch for it. May be repeated; without any, every passkey that stays on its device will do." placeholder:"AAGUID"`
	// RefusedModels are those that nobody may use.
	RefusedModels []string `name:"passkey-refused-model" key:"refused_models" help:"AAGUID of a model of security key or passkey that nobody may use; may be repeated." placeholder:"AAGUID"`
	// Makers has the authorities of the makers.
	Makers string `name:"passkey-makers" key:"makers_file" help:"PEM file with the authorities of the makers who vouch for the staff's models." placeholder:"FILE"`
}

// makers reads the authorities, nil when no file is named.
func (c *PasskeyConfig) makers() (*x509.CertPool, error) {
	if c.Makers == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(c.Makers)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, errors.New("the file has no certificate in PEM form")
	}
	return pool, nil
}

// rules gives the models as they are judged; Validate has read them before.
func (c *PasskeyConfig) rules() identity.KeyRules {
	read := func(texts []string) (out []string) {
		for _, text := range texts {
			if model, err := identity.ParseModel(text); err == nil {
				out = append(out, model)
			}
		}
		return out
	}
	return identity.KeyRules{Staff: read(c.StaffModels), Refused: read(c.RefusedModels)}
}

func (c *PasskeyConfig) validate(f *config.Faults) {
	for key, texts := range map[string][]string{"passkeys.staff_models": c.StaffModels, "passkeys.refused_models": c.RefusedModels} {
		for _, text := range texts {
			if _, err := identity.ParseModel(text); err != nil {
				f.Add(key, "%v", err)
			}
		}
	}
	if _, err := c.makers(); err != nil {
		f.Add("passkeys.makers_file", "%v", err)
	}
	if len(c.StaffModels) > 0 && c.Makers == "" {
		f.Add("passkeys.makers_file", "the authorities of the makers are needed: without them nobody vouches for a staff model")
	}
}

// passkeyChecks tell which keys staff may use.
func (d *doctor) passkeyChecks() []health.Check {
	return []health.Check{
		ask("passkey-models", "which security keys staff and people at particular risk may use", "name the models that you hand out as passkeys.staff_models, with passkeys.makers_file", func() health.Finding {
			r := d.cfg.Passkeys.rules()
			refused := ""
			if n := len(r.Refused); n > 0 {
				refused = fmt.Sprintf("; refused for everybody: %s", strings.Join(r.Refused, ", "))
			}
			if len(r.Staff) == 0 {
				return health.Note("any that stays on its device, no maker is asked%s", refused)
			}
			return health.Good("%s, with the word of their makers%s", strings.Join(r.Staff, ", "), refused)
		}),
	}
}
