package app

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/ldap"
	"github.com/mandate-health/mandate/internal/config"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/internal/tlsconf"
)

// LDAPConfig says which directory keeps passwords of staff.
type LDAPConfig struct {
	// Servers are asked in their order; none turns all of this off.
	Servers []string `name:"ldap-server" key:"servers" help:"LDAP server that keeps passwords of staff: ldaps://HOST, or ldap://HOST for StartTLS. May be repeated; asked in this order." placeholder:"URL"`
	CAFile  string   `name:"ldap-ca" key:"ca_file" help:"PEM file with the authorities that the certificates of the LDAP servers must come from; empty means those of the machine." placeholder:"FILE" type:"existingfile"`
	// BindDN and BindPassword are those of the service account.
	BindDN       string `name:"ldap-bind-dn" key:"bind_dn" help:"Distinguished name of the service account that looks for people in the directory." placeholder:"DN"`
	BindPassword string `name:"ldap-bind-password" key:"bind_password" secret:"whole" help:"Password of that service account." placeholder:"TEXT"`
	BaseDN       string `name:"ldap-base-dn" key:"base_dn" help:"Entry below which people are looked for." placeholder:"DN"`
	Filter       string `name:"ldap-filter" key:"filter" default:"(uid={username})" help:"Filter that finds the entry of a username (default ${default})." placeholder:"FILTER"`
	EntryID      string `name:"ldap-entry-id" key:"entry_id" help:"Attribute that names an entry for good, such as entryUUID or objectGUID. An account stays with the first entry that it was used with." placeholder:"NAME"`
	// Timeout and Connections are bounds.
	Timeout     time.Duration `name:"ldap-timeout" key:"timeout" default:"5s" help:"Longest time in which an LDAP server must answer (default ${default})." placeholder:"TIME"`
	Connections int           `name:"ldap-connections" key:"connections" default:"8" help:"Questions to the directory at once (default ${default})." placeholder:"N"`
	// Tenants are those whose staff the directory knows.
	Tenants []string `name:"ldap-tenant" key:"tenants" help:"Tenant whose staff the directory knows; may be repeated. Without any, the default tenant." placeholder:"ID"`
	// Plaintext sends passwords in the clear.
	Plaintext bool `name:"unsafe-ldap-plaintext" key:"unsafe_plaintext" help:"Speak to ldap:// servers without TLS. For development only."`
}

// The values of settings that are not set.
const (
	ldapFilter      = "(uid=" + ldap.Placeholder + ")"
	ldapTimeout     = 5 * time.Second
	ldapConnections = 8
)

// settings gives what the client works with.
func (c *LDAPConfig) settings() ldap.Config {
	return ldap.Config{
		Servers: c.Servers, BindDN: c.BindDN, BindPassword: c.BindPassword, BaseDN: c.BaseDN, Filter: cmp.Or(c.Filter, ldapFilter), EntryID: c.EntryID,
		Timeout: cmp.Or(c.Timeout, ldapTimeout), Connections: cmp.Or(c.Connections, ldapConnections), Plaintext: c.Plaintext,
	}
}

func (c *LDAPConfig) validate(development bool, f *config.Faults) {
	if len(c.Servers) == 0 {
		if c.CAFile != "" || c.BindDN != "" || c.BindPassword != "" || c.BaseDN != "" || c.EntryID != "" || len(c.Tenants) > 0 || c.Plaintext {
			f.Add("ldap.servers", "there are settings of a directory, and no server")
		}
		return
	}
	for _, fault := range c.settings().Check() {
		f.Add("ldap."+fault.Field, "%s", fault.Text)
	}
	if _, err := (tlsconf.Client{CAFile: c.CAFile}).TLS(); err != nil {
		f.Add("ldap.ca_file", "%v", err)
	}
	if c.Plaintext && !development {
		f.Add("ldap.unsafe_plaintext", "passwords never go to a directory without TLS, but on a development server")
	}
	if c.Plaintext && slices.ContainsFunc(c.Servers, func(s string) bool { return strings.HasPrefix(s, "ldaps:") }) {
		f.Add("ldap.unsafe_plaintext", "an ldaps:// server speaks TLS: take one or the other")
	}
}

// client makes the client, nil where no server is named.
func (a *App) ldapClient() (*ldap.Directory, error) {
	c := &a.cfg.LDAP
	if len(c.Servers) == 0 {
		return nil, nil
	}
	trust, err := tlsconf.Client{CAFile: c.CAFile}.TLS()
	if err != nil {
		return nil, err
	}
	return ldap.New(ldap.Deps{Config: c.settings(), TLS: trust, Clock: a.clock, IDs: a.ids, Log: a.log}), nil
}

// keeps reports whether the directory keeps passwords of a tenant.
func (c *LDAPConfig) keeps(tenant string) bool {
	if len(c.Servers) == 0 {
		return false
	}
	if len(c.Tenants) == 0 {
		return tenant == tenants.Default
	}
	return slices.Contains(c.Tenants, tenant)
}

// directoryOf gives the directory that keeps passwords of a tenant's staff.
func (a *App) directoryOf(tenant string) identity.Directory {
	if a.ldap == nil || !a.cfg.LDAP.keeps(tenant) {
		return nil
	}
	return a.ldap
}
