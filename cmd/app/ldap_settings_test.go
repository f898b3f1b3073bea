package app_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/internal/testldap"
)

// A directory whose certificate is of another host, or of nobody known, gets no
// password of anybody; the doctor says so, and says what is well.
func TestADirectoryThatIsNotTrusted(t *testing.T) {
	d, ask := newLDAP(t, testldap.Person{UID: "osei", EntryUUID: "1", Password: hospitalWord})
	var cfg app.Config
	ask(&cfg)
	for name, spoil := range map[string]func(*app.LDAPConfig){
		"another host":      func(c *app.LDAPConfig) { c.Servers[0] = strings.Replace(c.Servers[0], "127.0.0.1", "localhost", 1) },
		"another authority": func(c *app.LDAPConfig) { c.CAFile = "" },
	} {
		s := start(t, func(c *app.Config) {
			ask(c)
			spoil(&c.LDAP)
		})
		h := staffHouse{s, t, d, []string{"--data", s.data}}
		h.works("account", "directory", "osei")
		d.Asked()
		if p := h.knocks("osei", hospitalWord); p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Text(), unlooked) {
			t.Errorf("%s: %s", name, p)
		}
		if filters, binds := d.Asked(); len(filters)+len(binds) > 0 {
			t.Errorf("%s: the directory was asked: %q %q", name, filters, binds)
		}
		if log := h.out.String(); !strings.Contains(log, "directory not reached") || !strings.Contains(log, "certificate") || strings.Contains(log, hospitalWord) {
			t.Errorf("%s: %s", name, log)
		}
	}
	secret := filepath.Join(t.TempDir(), "secret")
	toml := func(server, word string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "mandate.toml")
		text := "[ldap]\nservers = [\"" + server + "\"]\nca_file = \"" + cfg.LDAP.CAFile + "\"\nbind_dn = \"" + testldap.ServiceDN +
			"\"\nbind_password_file = \"" + secret + "\"\nbase_dn = \"" + testldap.BaseDN + "\"\n"
		if err := errors.Join(os.WriteFile(secret, []byte(word+"\n"), 0o600), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ server, word, want string }{
		{cfg.LDAP.Servers[0], testldap.ServicePassword, "fine"},
		{strings.Replace(cfg.LDAP.Servers[0], "127.0.0.1", "localhost", 1), testldap.ServicePassword, "failing"},
		{cfg.LDAP.Servers[0], "a stale word", "failing"},
	} {
		_, found := findings(t, "--config", toml(test.server, test.word), "--accept-file-keys", "--data", filepath.Join(t.TempDir(), "data"),
			"--public-url", "https://127.0.0.1:1", "--upstream", "https://127.0.0.1:1/r4", "--only", "ldap")
		if found["ldap-server-1"] != test.want {
			t.Errorf("%s %s: %s, not %s", test.server, test.word, found["ldap-server-1"], test.want)
		}
	}
}

// Settings that would send passwords in the clear, or are half there, stop the start.
func TestFaultsOfTheDirectorysSettings(t *testing.T) {
	for field, change := range map[string]func(*app.Config){
		"ldap.servers":           func(c *app.Config) { c.LDAP.BindDN = testldap.ServiceDN },
		"ldap.bind_password":     func(c *app.Config) { c.LDAP.BindPassword = "" },
		"ldap.filter":            func(c *app.Config) { c.LDAP.Filter = "(uid=*)" },
		"ldap.unsafe_plaintext":  func(c *app.Config) { c.LDAP.Plaintext = true },
		"scim.enrolment":         func(c *app.Config) { c.LDAP, c.SCIM.Enrolment = app.LDAPConfig{}, "ldap" },
		"ldap.unsafe_plaintext ": func(c *app.Config) { c.Dev, c.LDAP.Plaintext = true, true },
	} {
		c := app.Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Upstream: "https://fhir.example", PublicURL: "https://auth.example"}
		c.LDAP = app.LDAPConfig{Servers: []string{"ldaps://dc1.example"}, BindDN: testldap.ServiceDN, BindPassword: "x", BaseDN: testldap.BaseDN}
		if err := c.Validate(); err != nil && strings.Contains(err.Error(), "ldap") {
			t.Fatal(err)
		}
		if field == "ldap.servers" {
			c.LDAP = app.LDAPConfig{}
		}
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(field)) || strings.Contains(err.Error(), "secret word") {
			t.Errorf("%s: %v", field, err)
		}
	}
	// The switch of development says so at each start.
	certificate, key := certificate(t)
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	d := testldap.Start(t, pair, false)
	s := start(t, func(c *app.Config) {
		c.LDAP = app.LDAPConfig{Servers: []string{"ldap://" + d.Address}, BindDN: testldap.ServiceDN, BindPassword: testldap.ServicePassword, BaseDN: testldap.BaseDN, Plaintext: true}
	})
	if !strings.Contains(s.out.String(), "UNSAFE") {
		t.Errorf("nobody is told: %s", s.out)
	}
}
