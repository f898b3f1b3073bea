package app

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/identity/federation/saml"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
)

// FederationConfig says at which other identity providers people sign in.
type FederationConfig struct {
	// Providers are JSON files; see docs/operations/federation.md.
	Providers []string `name:"identity-provider" key:"providers" help:"JSON file that describes an identity provider (OpenID or SAML) at which people sign in; may be repeated." placeholder:"FILE" type:"existingfile"`
}

// upstreamProvider is an identity provider of the settings, by the protocol it
// speaks.
type upstreamProvider struct {
	openID *openid.Provider
	saml   *saml.Provider
}

// about gives what is the same for every protocol.
func (p upstreamProvider) about() federation.Provider {
	if p.saml != nil {
		return p.saml.Provider
	}
	return p.openID.Provider
}

// calls gives what the provider calls itself.
func (p upstreamProvider) calls() string {
	if p.saml != nil {
		return p.saml.EntityID
	}
	return p.openID.Issuer
}

// read reads the providers. Errors: every fault of every file.
func (c FederationConfig) read(development bool) ([]upstreamProvider, error) {
	var (
		out    []upstreamProvider
		faults []string
		seen   = map[string]string{}
	)
	for _, path := range c.Providers {
		p, wrong := readProvider(path, development)
		if len(wrong) == 0 {
			id := p.about().ID
			if other := seen[id]; other != "" {
				wrong = []string{fmt.Sprintf("id: %q is the provider of %s already", id, other)}
			}
			seen[id] = path
			out = append(out, p)
		}
		for _, w := range wrong {
			faults = append(faults, path+": "+w)
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(faults, "\n"))
	}
	return out, nil
}

// readProvider reads the file of one provider and the files it names.
func readProvider(path string, development bool) (p upstreamProvider, faults []string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return p, []string{err.Error()}
	}
	at := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(filepath.Dir(path), name)
	}
	var speaks struct {
		Protocol federation.Protocol `json:"protocol"`
	}
	// A text that is no JSON is told of below.
	_ = json.Unmarshal(raw, &speaks)
	switch speaks.Protocol {
	case "", federation.OpenID:
		p.openID = &openid.Provider{}
		return p, readOpenID(raw, p.openID, at, development)
	case federation.SAML:
		p.saml = &saml.Provider{}
		return p, readSAML(raw, p.saml, at, development)
	}
	return p, []string{fmt.Sprintf("protocol: %q is neither openid nor saml", speaks.Protocol)}
}

func readOpenID(raw []byte, p *openid.Provider, at func(string) string, development bool) (faults []string) {
	err := strictjson.Read(raw, p)
	if err != nil {
		return notDescribed(err)
	}
	if faults = p.Check(development); len(faults) > 0 {
		return faults
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
	return faults
}

func readSAML(raw []byte, p *saml.Provider, at func(string) string, development bool) []string {
	err := strictjson.Read(raw, p)
	if err != nil {
		return notDescribed(err)
	}
	if faults := p.Check(development); len(faults) > 0 {
		return faults
	}
	p.MetadataFile = at(p.MetadataFile)
	key, err := readKey(at(p.KeyFile))
	if err != nil {
		return []string{"key_file: " + cause(err)}
	}
	var ok bool
	if p.Key, ok = key.(*rsa.PrivateKey); !ok {
		return []string{"key_file: the key must be RSA of 2048 bits or more"}
	}
	text, err := os.ReadFile(at(p.CertificateFile))
	if err != nil {
		return []string{"certificate_file: " + err.Error()}
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return []string{"certificate_file: it holds no certificate in PEM"}
	}
	if p.Certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
		return []string{"certificate_file: " + err.Error()}
	}
	if fault := p.KeyFits(); fault != "" {
		return []string{fault}
	}
	return nil
}

func notDescribed(err error) []string {
	return []string{"it is not the JSON that docs/operations/federation.md describes: " + cause(err)}
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
	if _, err := c.read(development); err != nil {
		for line := range strings.Lines(err.Error()) {
			f.Add("federation.providers", "%s", strings.TrimSpace(line))
		}
	}
}
