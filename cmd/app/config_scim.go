package app

import (
	"fmt"
	"strings"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/directory"
	"github.com/mandate-health/mandate/internal/config"
)

// The ways in which people get to sign in whom a directory provisions.
const (
	enrolMail      = "mail"
	enrolFederated = "federation"
	enrolLDAP      = "ldap"
)

// SCIMConfig says what a directory may do that provisions staff.
type SCIMConfig struct {
	// Groups say which role each group of the directory gives.
	Groups []string `name:"scim-group" key:"groups" help:"Group of a directory that provisions staff, and the role that it gives: NAME=clinician or NAME=admin; may be repeated. Without any, provisioned accounts have no role and cannot be used." placeholder:"NAME=ROLE"`
	// Enrolment says how new people get to sign in.
	Enrolment string `name:"scim-enrolment" key:"enrolment" default:"mail" help:"How people get to sign in whom a directory provisions: mail sends them a link to enrol, federation sends nothing, because they sign in at an identity provider, ldap sends a link to set up a second factor, because the LDAP directory keeps their passwords (default ${default})." placeholder:"WAY"`
}

func (c *SCIMConfig) validate(directory bool, f *config.Faults) {
	seen := map[string]bool{}
	for _, text := range c.Groups {
		g, err := readGroup(text)
		switch {
		case err != nil:
			f.Add("scim.groups", "%v", err)
		case seen[g.ID()]:
			f.Add("scim.groups", "%q is named twice", g.Name)
		}
		seen[g.ID()] = true
	}
	switch c.Enrolment {
	case "", enrolMail, enrolFederated:
	case enrolLDAP:
		if !directory {
			f.Add("scim.enrolment", "no LDAP server is named (ldap.servers)")
		}
	default:
		f.Add("scim.enrolment", "%q is not mail, federation or ldap", c.Enrolment)
	}
}

// readGroup reads NAME=ROLE.
func readGroup(text string) (g directory.Group, err error) {
	at := strings.LastIndexByte(text, '=')
	if at > 0 {
		g = directory.Group{Name: strings.TrimSpace(text[:at]), Role: identity.Role(text[at+1:])}
	}
	if g.Name == "" || !g.Role.Staff() {
		return g, fmt.Errorf("%q is not NAME=clinician or NAME=admin", text)
	}
	return g, nil
}

// groups gives those of the configuration; a development server has two without it.
func (c *SCIMConfig) groups(development bool) (out []directory.Group) {
	all := c.Groups
	if len(all) == 0 && development {
		all = []string{"Clinicians=clinician", "Administrators=admin"}
	}
	for _, text := range all {
		if g, err := readGroup(text); err == nil {
			out = append(out, g)
		}
	}
	return out
}
