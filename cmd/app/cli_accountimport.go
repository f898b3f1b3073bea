package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/password"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
)

// accountReset ends the use of a password.
type accountReset struct{ namedAccount }

// Run ends it.
func (c *accountReset) Run(s *streams) error {
	err := c.use(s, "account reset-password", func(people *identity.Service) error { return people.ResetPassword(s.ctx, c.Tenant, c.Username) })
	if err == nil {
		fmt.Fprintf(s.out, "%s has to choose another password: at /recover, or signed in with a passkey\n", c.Username)
	}
	return err
}

// accountImport takes accounts over from another system with their passwords as they
// are stored there.
type accountImport struct {
	storeFlags
	asFlag
	Tenant string `default:"default" help:"Tenant at which the people sign in (default ${default})." placeholder:"ID"`
	File   string `arg:"" help:"File with one account a line, as JSON: username, name, role, identity, language, and hash or keycloak." type:"existingfile"`
}

// importedAccount is one line.
type importedAccount struct {
	Username string   `json:"username"`
	Name     string   `json:"name"`
	Role     string   `json:"role"`
	Identity []string `json:"identity"`
	Language string   `json:"language"`
	// Hash is the stored password; Keycloak a credential as its export has it.
	Hash     string              `json:"hash"`
	Keycloak *keycloakCredential `json:"keycloak"`
}

type keycloakCredential struct {
	SecretData     string `json:"secretData"`
	CredentialData string `json:"credentialData"`
}

// hash gives the credential in the form of PHC.
func (k keycloakCredential) hash() string {
	var secret struct{ Value, Salt string }
	var how struct {
		HashIterations int
		Algorithm      string
	}
	if json.Unmarshal([]byte(k.SecretData), &secret) != nil || json.Unmarshal([]byte(k.CredentialData), &how) != nil {
		return ""
	}
	name := strings.TrimPrefix(how.Algorithm, "pbkdf2-")
	if how.Algorithm == "pbkdf2" {
		name = "sha1"
	}
	return fmt.Sprintf("$pbkdf2-%s$i=%d$%s$%s", name, how.HashIterations, strings.TrimRight(secret.Salt, "="), strings.TrimRight(secret.Value, "="))
}

// maxImportLine bounds a line, in bytes.
const maxImportLine = 64 << 10

// Run reads all lines before it makes the first account: a file with a fault makes
// none.
func (c *accountImport) Run(s *streams) error {
	all, err := c.read()
	if err != nil {
		return err
	}
	made, had := 0, 0
	err = c.with(s, func(a *App) error {
		hasher, err := a.tenantHasher(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		if _, err := a.requireOperator(s, operator.Need{Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "account import"}); err != nil {
			return err
		}
		people := a.newIdentity(hasher)
		for _, n := range all {
			switch _, err := people.CreateAccount(s.ctx, n); {
			case err == nil:
				made++
			case errs.Is(err, errs.Conflict):
				had++
			default:
				return err
			}
		}
		return nil
	})
	if err == nil {
		fmt.Fprintf(s.out, "%d accounts made, %d were there already\n", made, had)
	}
	return err
}

func (c *accountImport) read() ([]identity.NewAccount, error) {
	from, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxImportLine)
	var out []identity.NewAccount
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		account, err := c.account(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, account)
	}
	return out, lines.Err()
}

func (c *accountImport) account(line []byte) (identity.NewAccount, error) {
	var in importedAccount
	if err := strictjson.Read(line, &in); err != nil {
		return identity.NewAccount{}, fmt.Errorf("this is no account: %w", err)
	}
	p := identity.Person{Tenant: c.Tenant, Username: in.Username, Name: in.Name, Role: identity.Role(in.Role), Language: in.Language}
	switch p.Role {
	case identity.RolePatient, identity.RoleProxy, identity.RoleClinician, identity.RoleAdmin:
	default:
		return identity.NewAccount{}, errs.New(errs.Invalid, "import-role", "role is patient, proxy, clinician or admin.")
	}
	for _, text := range in.Identity {
		id, err := readIdentity(text)
		if err != nil {
			return identity.NewAccount{}, err
		}
		p.Identities = append(p.Identities, id)
	}
	if in.Keycloak != nil {
		in.Hash = in.Keycloak.hash()
	}
	if !password.Known(in.Hash) {
		return identity.NewAccount{}, errs.New(errs.Invalid, "import-hash", "hash is no password of a system that is known, or costs too much to verify.")
	}
	return identity.NewAccount{Person: p, PasswordHash: []byte(in.Hash)}, nil
}
