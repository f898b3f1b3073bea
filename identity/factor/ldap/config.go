package ldap

import (
	"net"
	"net/url"
	"strings"
	"time"

	ldapv3 "github.com/go-ldap/ldap/v3"
)

// Placeholder stands in a filter for the username.
const Placeholder = "{username}"

// Config says how the directory is asked.
type Config struct {
	// Servers are ldaps://HOST[:636], or ldap://HOST[:389] for StartTLS; they are asked
	// in this order.
	Servers []string
	// BindDN and BindPassword are those of the service account, which may look for
	// people.
	BindDN, BindPassword string
	// BaseDN is below which entry people are looked for, Filter which entry has a name:
	// Placeholder stands for it.
	BaseDN, Filter string
	// EntryID is the attribute that names an entry for good, such as entryUUID or
	// objectGUID; "" for none. An account stays with the first entry.
	EntryID string
	// Timeout bounds how long one server may take for one question.
	Timeout time.Duration
	// Connections bounds how many questions are asked at once.
	Connections int
	// Plaintext allows ldap:// without TLS, for development.
	Plaintext bool
}

// Fault is one thing that is wrong with a Config.
type Fault struct {
	// Field is the setting, by its key.
	Field, Text string
}

// The bounds of a Config.
const (
	longestTimeout  = 30 * time.Second
	shortestTimeout = 100 * time.Millisecond
	maxConnections  = 256
)

// Check gives every fault; none for settings that can be used.
func (c Config) Check() (faults []Fault) {
	add := func(field, text string) { faults = append(faults, Fault{field, text}) }
	if len(c.Servers) == 0 {
		add("servers", "at least one server is needed")
	}
	for _, s := range c.Servers {
		if _, _, ok := place(s); !ok {
			add("servers", "\""+s+"\" is not ldaps://HOST[:PORT] or ldap://HOST[:PORT]")
		}
	}
	for _, dn := range []struct{ field, text string }{{"bind_dn", c.BindDN}, {"base_dn", c.BaseDN}} {
		if parsed, err := ldapv3.ParseDN(dn.text); err != nil || len(parsed.RDNs) == 0 {
			add(dn.field, "this is not a distinguished name such as dc=example,dc=org")
		}
	}
	if c.BindPassword == "" {
		add("bind_password", "the service account needs a password: no directory is asked anonymously")
	}
	if !strings.Contains(c.Filter, Placeholder) {
		add("filter", "it must hold "+Placeholder+", such as (uid="+Placeholder+")")
	} else if _, err := ldapv3.CompileFilter(c.filter("name")); err != nil {
		add("filter", "this is not a filter such as (uid="+Placeholder+")")
	}
	if strings.ContainsAny(c.EntryID, " ()*\\,=") {
		add("entry_id", "this is not the name of an attribute such as entryUUID")
	}
	if c.Timeout < shortestTimeout || c.Timeout > longestTimeout {
		add("timeout", "it is not between "+shortestTimeout.String()+" and "+longestTimeout.String())
	}
	if c.Connections < 1 || c.Connections > maxConnections {
		add("connections", "it is not between 1 and 256")
	}
	return faults
}

// filter gives the filter for a name: whatever it holds stays one value.
func (c Config) filter(name string) string {
	return strings.ReplaceAll(c.Filter, Placeholder, ldapv3.EscapeFilter(name))
}

// place gives where a server listens, and whether TLS is spoken from the first byte.
func place(server string) (address string, implicit, ok bool) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", false, false
	}
	port := u.Port()
	switch u.Scheme {
	case "ldaps":
		implicit = true
		if port == "" {
			port = ldapv3.DefaultLdapsPort
		}
	case "ldap":
		if port == "" {
			port = ldapv3.DefaultLdapPort
		}
	default:
		return "", false, false
	}
	return net.JoinHostPort(u.Hostname(), port), implicit, true
}
