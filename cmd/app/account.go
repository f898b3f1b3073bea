package app

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// accountCommand manages accounts from the command line.
type accountCommand struct {
	Add     accountAdd     `cmd:"" help:"Make an account. The password is read from standard input, unless a directory keeps it."`
	Protect accountProtect `cmd:"" help:"Note that somebody is at particular risk: passkeys that can be copied are refused."`
	Reopen  accountReopen  `cmd:"" help:"Let somebody sign in on new devices again, after too many failed tries."`
	Reset   accountReset   `cmd:"" name:"reset-password" help:"Refuse the password of somebody until they have chosen another, and end all their log-ins."`
	Import  accountImport  `cmd:"" help:"Take accounts over from another system, with their passwords as they are stored there."`
	SignOut accountSignOut `cmd:"" help:"End all log-ins of somebody, on every device."`

	Directory accountDirectory `cmd:"" help:"Let the directory of the organization (LDAP) keep the password of somebody of the staff."`
}

type accountAdd struct {
	storeFlags
	asFlag
	Tenant   string   `default:"default" help:"Tenant at which the person signs in (default ${default})." placeholder:"ID"`
	Username string   `required:"" help:"Name to sign in with."`
	Name     string   `required:"" help:"Name by which pages call the person."`
	Role     string   `required:"" enum:"patient,proxy,clinician,admin" help:"patient, proxy, clinician or admin."`
	Identity []string `help:"FHIR resource of the person, such as Patient/1 or Practitioner/7; for a proxy RelatedPerson/ID@PATIENT. May be repeated." placeholder:"TYPE/ID"`
	Language string   `help:"Language of the pages, such as es." placeholder:"TAG"`
	// Directory says who keeps the password.
	Directory bool `help:"The directory of the organization (LDAP) keeps the password; none is read. For clinician and admin."`
}

// Run makes the account, and prints the secret of the second factor once where
// the role needs one.
func (c *accountAdd) Run(s *streams) error {
	p := identity.Person{Tenant: c.Tenant, Username: c.Username, Name: c.Name, Role: identity.Role(c.Role), Language: c.Language}
	for _, text := range c.Identity {
		id, err := readIdentity(text)
		if err != nil {
			return err
		}
		p.Identities = append(p.Identities, id)
	}
	password := ""
	if !c.Directory {
		// A last line need not end; what else stops the reading leaves no password.
		password, _ = bufio.NewReader(s.in).ReadString('\n')
		if password = strings.TrimRight(password, "\r\n"); password == "" {
			return errors.New("no password on standard input: pipe it in as one line")
		}
	}
	secret := ""
	if p.Role.NeedsSecondFactor() {
		secret = totp.NewSecret(ids.Source{})
	}
	err := c.with(s, func(a *App) error {
		hasher, err := a.tenantHasher(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		if _, err := a.requireOperator(s, operator.Need{
			Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "account add",
		}); err != nil {
			return err
		}
		p, err = a.newIdentity(hasher).CreateAccount(s.ctx, identity.NewAccount{Person: p, Password: password, Elsewhere: c.Directory, TOTPSecret: secret})
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "account %s made for %s\n", p.ID, p.Username)
	if secret != "" {
		fmt.Fprintf(s.out, "second factor, shown once: %s\n%s\n", secret, totp.URI("Mandate", p.Username, secret))
	}
	return nil
}

// readIdentity reads TYPE/ID, or RelatedPerson/ID@PATIENT.
func readIdentity(text string) (identity.Identity, error) {
	refText, patient, _ := strings.Cut(text, "@")
	ref, ok := fhir.ParseReference(refText)
	id := identity.Identity{Resource: ref, Patient: patient, Verified: true}
	switch {
	case !ok:
	case ref.Type == "Patient" && patient == "":
		id.Patient = ref.ID
		return id, nil
	case ref.Type == "Practitioner" && patient == "", ref.Type == "RelatedPerson" && fhir.ValidID(patient):
		return id, nil
	}
	return id, errs.New(errs.Invalid, "identity-malformed", fmt.Sprintf("--identity %q is not Patient/ID, Practitioner/ID or RelatedPerson/ID@PATIENT.", text))
}

type accountProtect struct {
	storeFlags
	asFlag
	Tenant   string `default:"default" help:"Tenant at which the person signs in (default ${default})." placeholder:"ID"`
	Username string `arg:"" help:"Name to sign in with."`
	End      bool   `help:"The person is no longer at particular risk."`
}

// Run notes it.
func (c *accountProtect) Run(s *streams) error {
	err := c.with(s, func(a *App) error {
		hasher, err := a.tenantHasher(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		if _, err := a.requireOperator(s, operator.Need{
			Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "account protect",
		}); err != nil {
			return err
		}
		return a.newIdentity(hasher).SetHighRisk(s.ctx, c.Tenant, c.Username, !c.End)
	})
	if err != nil {
		return err
	}
	if c.End {
		fmt.Fprintf(s.out, "%s is no longer marked as at particular risk\n", c.Username)
		return nil
	}
	fmt.Fprintf(s.out, "%s is marked as at particular risk: only passkeys that stay on their device are accepted\n", c.Username)
	return nil
}
