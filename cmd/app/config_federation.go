package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
)

// FederationConfig says at which other identity providers people sign in.
type FederationConfig struct {
	// Providers are JSON files; see docs/operations/federation.md.
	Providers []string `name:"identity-provider" key:"providers" help:"JSON file that describes an OpenID provider at which people sign in; may be repeated." placeholder:"FILE" type:"existingfile"`
}

// openID reads the OpenID providers. Errors: every fault of every file.
func (c FederationConfig) openID(development bool) ([]openid.Provider, error) {
	var (
		out    []openid.Provider
		faults []string
		seen   = map[string]string{}
	)
	for _, path := range c.Providers {
		p, wrong := readProvider(path, development)
		if other := seen[p.ID]; len(wrong) == 0 && other != "" {
			wrong = []string{fmt.Sprintf("id: %q is the provider of %s already", p.ID, other)}
		}
		for _, w := range wrong {
			faults = append(faults, path+": "+w)
		}
		seen[p.ID] = path
		out = append(out, p)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(faults, "\n"))
	}
	return out, nil
}

// readProvider reads the file of one provider and the key or secret it names.
func readProvider(path string, development bool) (p openid.Provider, faults []string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return p, []string{err.Error()}
	}
	if err := strictjson.Read(raw, &p); err != nil {
		return p, []string{"it is not the JSON that docs/operations/federation.md describes: " + cause(err)}
	}
	if faults = p.Check(development); len(faults) > 0 {
		return p, faults
	}
	at := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(filepath.Dir(path), name)
	}
	if p.KeyFile != "" {
		if p.Key, err = readKey(at(p.KeyFile)); err == nil {
			err = p.KeyFits()
		}
		if err != nil {
			faults = append(faults, "key_file: "+cause(err))
		}
	}
	if p.SecretFile != "" {
		if p.Secret, err = readSecret(at(p.SecretFile)); err != nil {
			faults = append(faults, "secret_file: "+err.Error())
		}
	}
	return p, faults
}

// cause says what is behind an error of our own, for an operator.
func cause(err error) string {
	e := errs.As(err)
	if e.Unwrap() != nil {
		return e.Unwrap().Error()
	}
	return err.Error()
}

// readSecret reads a file of one line, which nobody else may read.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("%s is open to everybody; run: chmod o= %s", path, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(raw))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("%s must hold the secret in one line", path)
	}
	return secret, nil
}

func (c FederationConfig) validate(development bool, f *config.Faults) {
	if _, err := c.openID(development); err != nil {
		for line := range strings.Lines(err.Error()) {
			f.Add("federation.providers", "%s", strings.TrimSpace(line))
		}
	}
}
