package app

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mandate-health/mandate/identity/factor/password"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/health"
)

// PasswordConfig says which passwords may be chosen.
type PasswordConfig struct {
	Breached string `name:"breached-passwords" key:"breached_file" help:"List of breached passwords, made with 'mandate passwords import-breached'; passwords on it cannot be chosen." placeholder:"FILE"`
}

// breached opens the list, nil when none is named.
func (c *PasswordConfig) breached() (*password.Breached, error) {
	if c.Breached == "" {
		return nil, nil
	}
	return password.OpenBreached(c.Breached)
}

func (c *PasswordConfig) validate(f *config.Faults) {
	if _, err := c.breached(); err != nil {
		f.Add("passwords.breached_file", "%v", err)
	}
}

// breachedOld is the age at which a list should be replaced.
const breachedOld = 180 * 24 * time.Hour

// passwordChecks tell the age of the list of breached passwords.
func (d *doctor) passwordChecks() []health.Check {
	return []health.Check{
		ask("passwords-breached", "whether passwords known from breaches are refused, and how old the list is", "set passwords.breached_file; import a newer list with 'mandate passwords import-breached'", func() health.Finding {
			b, err := d.cfg.Passwords.breached()
			switch {
			case err != nil:
				return health.Fail("%v", err)
			case b == nil:
				return health.Warn("inactive: no list of breached passwords")
			}
			age := d.clock.Now().Sub(b.Made())
			return health.Wish(age < breachedOld, "%d passwords, imported %d days ago", b.Len(), int(age.Hours()/24))
		}),
	}
}

// passwordsCommand looks after what passwords may be.
type passwordsCommand struct {
	ImportBreached passwordsImport `cmd:"" name:"import-breached" help:"Make a list of breached passwords from a file of SHA-1 hashes in order, such as Pwned Passwords."`
}

type passwordsImport struct {
	File string `arg:"" help:"Text file with one SHA-1 in hexadecimal digits at the start of each line, in order." type:"existingfile"`
	Out  string `required:"" help:"File to write; it takes the place of the one before." placeholder:"FILE"`
}

// Run writes the list beside its place first, so that a server never opens half
// of one.
func (c *passwordsImport) Run(s *streams) error {
	from, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer from.Close()
	n, err := writeBeside(c.Out, func(to io.Writer) (int, error) { return password.ImportBreached(from, to) })
	if err != nil {
		return explain(err)
	}
	fmt.Fprintf(s.out, "%d breached passwords written to %s\nname it as passwords.breached_file and restart the servers\n", n, c.Out)
	return nil
}

func writeBeside(path string, write func(io.Writer) (int, error)) (int, error) {
	part := path + ".part"
	to, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := write(to)
	if err == nil {
		err = to.Sync()
	}
	if closed := to.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return n, err
}
