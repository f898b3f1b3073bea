package ldap_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/ldap"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/testldap"
)

const right = "a right password"

// world is a directory with some staff, and a client of it.
type world struct {
	*testing.T
	server *testldap.Server
	trust  *tls.Config
	conf   ldap.Config
	log    *lines
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lend gives a certificate of 127.0.0.1 and who believes it.
func lend(t *testing.T) (tls.Certificate, *tls.Config) {
	t.Helper()
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	defer lender.Close()
	pool := x509.NewCertPool()
	pool.AddCert(lender.Certificate())
	return lender.TLS.Certificates[0], &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func open(t *testing.T, implicit bool) *world {
	t.Helper()
	certificate, trust := lend(t)
	w := &world{T: t, server: testldap.Start(t, certificate, implicit), trust: trust, log: &lines{}}
	scheme := "ldap://"
	if implicit {
		scheme = "ldaps://"
	}
	w.conf = ldap.Config{
		Servers: []string{scheme + w.server.Address}, BindDN: testldap.ServiceDN, BindPassword: testldap.ServicePassword, BaseDN: testldap.BaseDN,
		Filter: "(&(objectClass=inetOrgPerson)(uid={username}))", EntryID: "entryUUID", Timeout: 5 * time.Second, Connections: 2,
	}
	w.server.Put(
		testldap.Person{UID: "osei", EntryUUID: "1", Password: right},
		testldap.Person{UID: "twin", EntryUUID: "2", Password: right}, testldap.Person{UID: "TWIN", EntryUUID: "3", Password: right},
		testldap.Person{UID: "nameless", Password: right},
		testldap.Person{UID: "left", EntryUUID: "5", Password: right, Code: 49, Text: "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 533, v2580"},
		testldap.Person{UID: "old", EntryUUID: "6", Password: right, Code: 49, Text: "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 773, v2580"},
		testldap.Person{UID: "reset", EntryUUID: "7", Password: right, Policy: 2},
		testldap.Person{UID: "idle", EntryUUID: "8", Password: right, Code: 53},
	)
	return w
}

func (w *world) client() *ldap.Directory {
	w.Helper()
	if faults := w.conf.Check(); len(faults) > 0 {
		w.Fatal(faults)
	}
	return ldap.New(ldap.Deps{Config: w.conf, TLS: w.trust, Clock: clock.System{}, IDs: ids.Source{}, Log: slog.New(slog.NewTextHandler(w.log, nil))})
}

// Search, then bind: one entry and its password, and nothing else; names cannot
// change the filter, and a bind without a password never happens.
func TestOneEntryAndItsPassword(t *testing.T) {
	for _, implicit := range []bool{true, false} {
		w := open(t, implicit)
		d := w.client()
		for _, test := range []struct {
			name, username, entry, password, want string
		}{
			{"right", "osei", "", right, ""},
			{"right and known", "osei", "MQ", right, ""},
			{"another one has the name now", "osei", "Mg", right, "directory-entry-changed"},
			{"wrong", "osei", "", "wrong", "password-wrong"},
			{"empty", "osei", "", "", "password-wrong"},
			{"endless", "osei", "", strings.Repeat("x", 1025), "password-wrong"},
			{"nobody", "nobody", "", right, "directory-entry-absent"},
			{"two", "twin", "", right, "directory-entry-ambiguous"},
			{"all", "*", "", right, "directory-entry-absent"},
			{"injected", "*)(uid=*", "", right, "directory-entry-absent"},
			{"closed", "osei)(|(uid=*", "", right, "directory-entry-absent"},
			{"prefix", "os*", "", right, "directory-entry-absent"},
			{"zero byte", "osei\x00", "", right, "directory-entry-absent"},
			{"backslash", `\6fsei`, "", right, "directory-entry-absent"},
			{"disabled", "left", "", right, "directory-account-blocked"},
			{"to be changed", "old", "", right, "directory-password-expired"},
			{"reset", "reset", "", right, "directory-password-expired"},
			{"inactive", "idle", "", right, "directory-account-blocked"},
		} {
			got, err := d.Check(t.Context(), test.username, test.entry, test.password)
			if err != nil || got.Refused != test.want {
				t.Errorf("%s: %v %v, not %q", test.name, got, err, test.want)
			}
			if test.want == "" && got.Entry != "MQ" {
				t.Errorf("%s: entry %q", test.name, got.Entry)
			}
			_, binds := w.server.Asked()
			// As many round trips for each, and no bind of somebody without a password.
			if len(binds) != 2 || binds[0] != testldap.ServiceDN || slices.ContainsFunc(binds, func(b string) bool { return strings.HasPrefix(b, testldap.InTheClear) }) {
				t.Errorf("%s: binds of %q", test.name, binds)
			}
			if (test.password == "" || len(test.password) > 1000) && binds[1] != testldap.ServiceDN {
				t.Errorf("%s: a bind of %q", test.name, binds[1])
			}
		}
		if err := d.Feign(t.Context()); err != nil {
			t.Error(err)
		}
		if filters, binds := w.server.Asked(); len(filters) != 1 || len(binds) != 2 {
			t.Errorf("nobody is asked for otherwise: %q %q", filters, binds)
		}
	}
}

// What is no directory that can be trusted is not asked, and gets no password.
func TestWhoIsNotTrustedGetsNoPassword(t *testing.T) {
	for name, spoil := range map[string]func(*world){
		"another authority":    func(w *world) { w.trust = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12} },
		"another name":         func(w *world) { w.conf.Servers[0] = strings.Replace(w.conf.Servers[0], "127.0.0.1", "localhost", 1) },
		"another name, TLS":    func(w *world) { w.conf.Servers[0] = strings.Replace(w.conf.Servers[0], "127.0.0.1", "localhost", 1) },
		"down":                 func(w *world) { w.server.Down() },
		"wrong service secret": func(w *world) { w.conf.BindPassword = "a stale secret" },
		"no such base":         func(w *world) { w.conf.BaseDN = "ou=nowhere,dc=lakeside,dc=example" },
		"too long":             func(w *world) { w.server.Long(300 << 10) },
		"no entry id":          func(w *world) { w.conf.EntryID = "employeeNumber" },
	} {
		w := open(t, strings.HasSuffix(name, "TLS"))
		spoil(w)
		d := w.client()
		_, err := d.Check(t.Context(), "osei", "", right)
		if !errs.Is(err, errs.Unavailable) || errs.As(err).Code != "directory-unreachable" {
			t.Errorf("%s: %v", name, err)
		}
		_, binds := w.server.Asked()
		for _, b := range binds {
			if b != testldap.ServiceDN {
				t.Errorf("%s: a bind of %q", name, b)
			}
		}
		told := w.log.String()
		for _, secret := range []string{right, w.conf.BindPassword, testldap.ServicePassword, "osei"} {
			if strings.Contains(told, secret) {
				t.Errorf("%s: %q is told: %s", name, secret, told)
			}
		}
		if !strings.Contains(w.log.String(), "directory not reached") {
			t.Errorf("%s: nobody is told: %s", name, w.log)
		}
	}
}

// The next server is asked where one does not answer, and a server that comes back
// counts again.
func TestTheNextServerIsAsked(t *testing.T) {
	w := open(t, true)
	second := open(t, false)
	w.server.Down()
	w.conf.Servers = append(w.conf.Servers, second.conf.Servers...)
	d := w.client()
	for range 2 {
		if a, err := d.Check(t.Context(), "osei", "", right); err != nil || a.Refused != "" {
			t.Fatal(a, err)
		}
	}
	if n := strings.Count(w.log.String(), "directory not reached"); n != 1 {
		t.Errorf("told %d times", n)
	}
	second.server.Down()
	if _, err := d.Check(t.Context(), "osei", "", right); !errs.Is(err, errs.Unavailable) {
		t.Error(err)
	}
}

// So many questions at once, and no more; who waits too long is told so.
func TestQuestionsAreBounded(t *testing.T) {
	w := open(t, true)
	w.conf.Timeout, w.conf.Connections = 300*time.Millisecond, 1
	d := w.client()
	release := w.server.Stall()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := d.Feign(t.Context()); !errs.Is(err, errs.Unavailable) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	release()
}

// Settings that would ask an untrusted directory, or anybody's name, are refused, all
// at once.
func TestFaultsOfSettings(t *testing.T) {
	good := ldap.Config{
		Servers: []string{"ldaps://dc1.lakeside.example", "ldap://dc2.lakeside.example:3389"}, BindDN: testldap.ServiceDN, BindPassword: "x",
		BaseDN: testldap.BaseDN, Filter: "(sAMAccountName={username})", Timeout: time.Second, Connections: 1,
	}
	if faults := good.Check(); len(faults) > 0 {
		t.Fatal(faults)
	}
	for field, spoil := range map[string]func(*ldap.Config){
		"servers":       func(c *ldap.Config) { c.Servers = []string{"https://dc1.example"} },
		"servers 1":     func(c *ldap.Config) { c.Servers = []string{"ldapi://%2Frun%2Fldapi"} },
		"servers 2":     func(c *ldap.Config) { c.Servers = []string{"ldaps://u:p@dc1.example"} },
		"servers 3":     func(c *ldap.Config) { c.Servers = []string{"ldaps://dc1.example/dc=x"} },
		"servers 4":     func(c *ldap.Config) { c.Servers = nil },
		"bind_dn":       func(c *ldap.Config) { c.BindDN = "" },
		"bind_dn 1":     func(c *ldap.Config) { c.BindDN = "mandate" },
		"bind_password": func(c *ldap.Config) { c.BindPassword = "" },
		"base_dn":       func(c *ldap.Config) { c.BaseDN = "" },
		"filter":        func(c *ldap.Config) { c.Filter = "(uid=osei)" },
		"filter 1":      func(c *ldap.Config) { c.Filter = "(uid={username}" },
		"entry_id":      func(c *ldap.Config) { c.EntryID = "a)(b" },
		"timeout":       func(c *ldap.Config) { c.Timeout = time.Minute },
		"connections":   func(c *ldap.Config) { c.Connections = 0 },
	} {
		c := good
		spoil(&c)
		want, _, _ := strings.Cut(field, " ")
		if faults := c.Check(); len(faults) != 1 || faults[0].Field != want || faults[0].Text == "" {
			t.Errorf("%s: %v", field, faults)
		}
	}
}

var _ identity.Directory = (*ldap.Directory)(nil)
