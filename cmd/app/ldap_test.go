package app_test

import (
	"crypto/tls"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/internal/testldap"
	"github.com/mandate-health/mandate/internal/testpg"
)

const (
	// hospitalWord is the password that the directory keeps of somebody.
	hospitalWord = "the word of the hospital"
	// unlooked is what everybody is told while the directory is away.
	unlooked    = "the sign-in for staff is down just now"
	refusedWord = "The user name or the password is not right"
)

// staffHouse is a server whose staff have passwords in a directory.
type staffHouse struct {
	*server
	t     *testing.T
	ldap  *testldap.Server
	place []string
}

// newLDAP starts a directory with the people, and gives the settings of a server that
// asks it.
func newLDAP(t *testing.T, people ...testldap.Person) (*testldap.Server, func(*app.Config)) {
	t.Helper()
	cert, key := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	d := testldap.Start(t, pair, true)
	d.Put(people...)
	return d, func(c *app.Config) {
		c.LDAP = app.LDAPConfig{
			Servers: []string{"ldaps://" + d.Address}, CAFile: cert, BindDN: testldap.ServiceDN, BindPassword: testldap.ServicePassword,
			BaseDN: testldap.BaseDN, EntryID: "entryUUID", Timeout: 2 * time.Second,
		}
	}
}

func newStaffHouse(t *testing.T, dsn string, people ...testldap.Person) staffHouse {
	t.Helper()
	d, ask := newLDAP(t, people...)
	kek := "file:" + filepath.Join(t.TempDir(), "kek.json")
	s := start(t, func(c *app.Config) {
		ask(c)
		if c.Keys = kek; dsn != "" {
			c.Database = dsn
		}
	})
	place := []string{"--data", s.data, "--keys", kek}
	if dsn != "" {
		place = []string{"--database", dsn, "--keys", kek}
	}
	return staffHouse{s, t, d, place}
}

// works runs a command that has to succeed.
func (h staffHouse) works(args ...string) string {
	h.t.Helper()
	code, out, errOut := cli(h.t, append(args, h.place...)...)
	if code != 0 {
		h.t.Fatal(args, out, errOut)
	}
	return out
}

// knocks tries a password in a new browser, after all pauses.
func (h staffHouse) knocks(username, password string) *kit.Page {
	h.t.Helper()
	if err := h.Advance(h.t.Context(), 20*time.Second); err != nil {
		h.t.Fatal(err)
	}
	b := h.NewBrowser(kit.Person{})
	p, err := b.Open(h.t.Context(), h.at("/staff"), "")
	if err != nil {
		h.t.Fatal(err)
	}
	return h.post(h.t, b, p, "password", map[string]string{"username": username, "password": password})
}

// reasons counts why log-ins failed.
func (h staffHouse) reasons() map[string]int {
	h.t.Helper()
	out := map[string]int{}
	for _, e := range h.events(h.t, "kind=login.failed") {
		out[e.Reason]++
	}
	return out
}

// engines runs a story with each store.
func engines(t *testing.T, story func(t *testing.T, dsn string)) {
	t.Helper()
	for name, database := range map[string]func(*testing.T) string{
		"embedded": func(*testing.T) string { return "" }, "postgres": func(t *testing.T) string { return testpg.Start(t) },
	} {
		t.Run(name, func(t *testing.T) { story(t, database(t)) })
	}
}

// Staff whose password the directory keeps sign in with it and their second factor;
// their old password, and every trick with names, gets nobody in, counts, and is
// recorded.
func TestStaffSignInWithThePasswordOfTheDirectory(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := newStaffHouse(t, dsn,
			testldap.Person{UID: "osei", EntryUUID: "1", Password: hospitalWord},
			testldap.Person{UID: "hale", EntryUUID: "2", Password: hospitalWord}, testldap.Person{UID: "HALE", EntryUUID: "3", Password: hospitalWord},
		)
		old := h.browser("osei")
		h.open(t, old, "/staff")
		h.works("account", "directory", "osei")
		h.works("account", "directory", "hale")
		if p, err := old.Open(t.Context(), h.at("/staff"), ""); err != nil || p.FormWith("password") == nil {
			t.Errorf("the log-in from before lives on: %v %v", p, err)
		}
		who := h.Person("osei")
		local := who.Password
		who.Password = hospitalWord
		b := h.NewBrowser(who)
		if p := h.open(t, b, "/staff"); p.Status != http.StatusOK || p.FormWith("password") != nil {
			t.Fatalf("not in: %s", p.Text())
		}
		ins := h.events(t, "kind=login.succeeded&person=demo-osei")
		if last := ins[len(ins)-1]; last.Reason != "second-factor-needed" || last.Detail["amr"] != "pwd" {
			t.Errorf("the password alone is enough: %+v", last)
		}
		h.ldap.Asked()
		for _, test := range []struct{ what, username, password, reason string }{
			{"the old password", "osei", local, "password-wrong"},
			{"a wrong one", "osei", "a wrong one", "password-wrong"},
			{"two entries", "hale", hospitalWord, "directory-entry-ambiguous"},
			{"a filter", "*)(uid=*", hospitalWord, "account-unknown"},
			{"nobody", "nobody", hospitalWord, "account-unknown"},
			{"somebody of the directory without an account", "HALEY", hospitalWord, "account-unknown"},
			{"a patient", "rosa", hospitalWord, "password-wrong"},
		} {
			before := h.reasons()[test.reason]
			p := h.knocks(test.username, test.password)
			if p.Status != http.StatusUnauthorized || !strings.Contains(p.Text(), "not right") || h.reasons()[test.reason] != before+1 {
				t.Errorf("%s: %d %v %s", test.what, p.Status, h.reasons(), p.Text())
			}
			filters, binds := h.ldap.Asked()
			if len(filters) != 1 || len(binds) != 2 {
				t.Errorf("%s: the directory is asked otherwise: %q %q", test.what, filters, binds)
			}
			if strings.Contains(strings.Join(filters, ""), "(uid=*") || strings.Contains(strings.Join(filters, ""), "rosa") {
				t.Errorf("%s: the directory is asked for %q", test.what, filters)
			}
		}
		if p := h.knocks("osei", ""); p.Status != http.StatusBadRequest {
			t.Errorf("an empty password: %s", p)
		}
		if _, binds := h.ldap.Asked(); len(binds) != 0 {
			t.Errorf("an empty password: binds of %q", binds)
		}
		if strings.Contains(h.out.String(), hospitalWord) || strings.Contains(h.out.String(), testldap.ServicePassword) {
			t.Error("a password is in the log")
		}
	})
}

// While the directory is away everybody who does not get in reads the same, whosever
// password it keeps; people with a password of here sign in; and nobody of the staff
// has a failure more when it is back.
func TestTheDirectoryIsAway(t *testing.T) {
	h := newStaffHouse(t, "", testldap.Person{UID: "osei", EntryUUID: "1", Password: hospitalWord})
	h.works("account", "directory", "osei")
	h.ldap.Down()
	for _, name := range []string{"osei", "nobody", "rosa", "hale"} {
		p := h.knocks(name, "a word")
		if p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Text(), unlooked) {
			t.Errorf("%s: %d %s", name, p.Status, p.Text())
		}
	}
	if got := h.reasons(); got["directory-unreachable"] != 1 || got["password-wrong"] != 2 || got["account-unknown"] != 1 {
		t.Errorf("%v", got)
	}
	if p := h.open(t, h.browser("hale"), "/staff"); p.Status != http.StatusOK {
		t.Errorf("a password of here does not count: %s", p)
	}
	// Of many tries at once as many are looked at as of anybody, and none counts later.
	stopped := map[string]bool{}
	for range 12 {
		for _, name := range []string{"osei", "nobody"} {
			stopped[name] = h.knocks(name, "a word").Status == http.StatusTooManyRequests
		}
	}
	if !stopped["osei"] || !stopped["nobody"] {
		t.Errorf("they are braked otherwise: %v", stopped)
	}
	h.ldap.Up()
	if err := h.Advance(t.Context(), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	who := h.Person("osei")
	who.Password = hospitalWord
	if p := h.open(t, h.NewBrowser(who), "/staff"); p.Status != http.StatusOK || p.FormWith("password") != nil {
		t.Errorf("not in when it is back: %s", p.Text())
	}
}

// A password that the directory keeps is neither changed nor reset here, and the page
// says where it lives; nobody but staff can have one.
func TestThePasswordLivesElsewhere(t *testing.T) {
	h := newStaffHouse(t, "", testldap.Person{UID: "osei", EntryUUID: "1", Password: hospitalWord}, testldap.Person{UID: "amara", EntryUUID: "2", Password: hospitalWord})
	h.works("account", "directory", "osei")
	who := h.Person("osei")
	who.Password = hospitalWord
	b := h.NewBrowser(who)
	p := h.open(t, b, "/factors")
	if !strings.Contains(p.Text(), "Password of your organization") || strings.Contains(string(p.Body), "/factors/password") {
		t.Errorf("%s", p.Text())
	}
	p, err := b.Open(t.Context(), h.at("/factors/password"), "")
	if err != nil || p.Status != http.StatusForbidden || !strings.Contains(p.Text(), "Your password is not kept here") {
		t.Errorf("%v %s", err, p.Text())
	}
	// A form that was open before the password moved, too.
	late := h.browser("hale")
	p = h.open(t, late, "/factors/password")
	form := p.FormWith("again")
	h.works("account", "directory", "hale")
	v := form.Values(nil)
	v.Set("password", regained)
	v.Set("again", regained)
	if p, err = late.Post(t.Context(), form, v, ""); err != nil || strings.Contains(p.Text(), "saved") {
		t.Errorf("%v %s", err, p.Text())
	}
	for _, test := range []struct{ says, args string }{
		{"kept in the directory", "account reset-password osei"},
		{"staff only", "account directory rosa"},
		{"staff only", "account directory elena"},
		{"no account of that name", "account directory nobody"},
		{"staff only", "account add --directory --username una --name Una --role patient"},
	} {
		if code, out, errOut := cli(t, append(strings.Fields(test.args), h.place...)...); code == 0 || !strings.Contains(errOut, test.says) {
			t.Errorf("%s: %d %s %s", test.args, code, out, errOut)
		}
	}
	// An account that is made so has a code app and no password.
	out := h.works("account", "add", "--directory", "--username", "amara", "--name", "Amara Diaz", "--role", "admin")
	_, secret, _ := strings.Cut(out, "shown once: ")
	secret, _, _ = strings.Cut(secret, "\n")
	amara := kit.Person{Username: "amara", Password: hospitalWord, TOTPSecret: secret}
	if p := h.open(t, h.NewBrowser(amara), "/staff"); p.Status != http.StatusOK || p.FormWith("password") != nil {
		t.Errorf("not in: %s", p.Text())
	}
	// Back here there is no password at all.
	h.works("account", "directory", "amara", "--end")
	for _, word := range []string{hospitalWord, regained} {
		if p := h.knocks("amara", word); p.Status != http.StatusUnauthorized {
			t.Errorf("%s: %s", word, p)
		}
	}
	kinds := map[string]int{}
	for _, kind := range []string{"factor.added", "factor.removed"} {
		for _, e := range h.events(t, "kind="+kind) {
			kinds[kind+" "+e.Detail["kind"]]++
		}
	}
	if kinds["factor.added directory"] != 2 || kinds["factor.removed password"] != 2 || kinds["factor.removed directory"] != 1 {
		t.Errorf("%v", kinds)
	}
}

// A nurse whom SCIM provisions signs in with the password that the LDAP directory
// keeps; the link sets up her code app and gives no password.
func TestANurseOfTheDirectoryEnrols(t *testing.T) {
	d, ask := newLDAP(t, testldap.Person{UID: "quinn", EntryUUID: "1", Password: hospitalWord})
	h := staffed(t, func(c *app.Config) {
		ask(c)
		c.SCIM.Enrolment = "ldap"
	})
	u := h.user(h.scim("POST", "/Users", newHire, http.StatusCreated))
	h.scim("PATCH", "/Groups/"+h.groupID("Clinicians"), patch(`{"op":"add","path":"members","value":[{"value":"`+u.ID+`"}]}`), http.StatusOK)
	n := h.sent(t, "account-enrolment", nil)
	b := h.NewBrowser(kit.Person{})
	p, err := b.Open(t.Context(), h.at("/enrol/"+n.Args["secret"]), "")
	if err == nil {
		p, err = b.Post(t.Context(), p.Forms[len(p.Forms)-1], p.Forms[len(p.Forms)-1].Values(nil), "")
	}
	if err != nil || !strings.Contains(p.Text(), "You sign in with the password of your organization") || p.FormWith("password") != nil {
		t.Fatalf("%v %s", err, p.Text())
	}
	secret := p.FormWith("secret").Field("secret").Value
	code := func() string {
		code, err := totp.Code(secret, h.Now().Unix()/30)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	if q := h.post(t, b, p, "code", map[string]string{"password": regained, "again": regained, "code": code()}); q.Status != http.StatusForbidden {
		t.Errorf("a password of here is taken: %s", q)
	}
	if p = h.post(t, b, p, "code", map[string]string{"code": code()}); p.Status != http.StatusOK {
		t.Fatal(p.Text())
	}
	if err := h.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	in := h.NewBrowser(kit.Person{Username: "quinn", Password: hospitalWord, TOTPSecret: secret})
	if p := h.open(t, in, "/staff"); p.Status != http.StatusOK || p.FormWith("password") != nil {
		t.Fatalf("not in: %s", p.Text())
	}
	// Somebody else gets the name in the directory, with a password of their own.
	d.Put(testldap.Person{UID: "quinn", EntryUUID: "2", Password: "of another Quinn"})
	house := staffHouse{h.server, t, d, nil}
	if p := house.knocks("quinn", "of another Quinn"); p.Status != http.StatusUnauthorized || house.reasons()["directory-entry-changed"] != 1 {
		t.Errorf("%s %v", p, house.reasons())
	}
}

// SM-20, NI-09: who of the directory lost a phone gets a new code app, by proofs and
// two of the staff, and no password of here.
func TestARecoveryGivesNoPassword(t *testing.T) {
	h := newStaffHouse(t, "", testldap.Person{UID: "osei", EntryUUID: "1", Password: hospitalWord})
	h.works("account", "directory", "osei")
	b := h.NewBrowser(kit.Person{Username: "osei"})
	p := h.byMail(t, b, h.begins(t, b, "osei"), "dr-osei@lakeside.example")
	h.ldap.Down()
	if q := h.post(t, b, p, "password", map[string]string{"password": hospitalWord}); q.Status != http.StatusServiceUnavailable || !strings.Contains(q.Text(), unlooked) {
		t.Errorf("%s", q.Text())
	}
	h.ldap.Up()
	if err := h.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if q := h.post(t, b, p, "password", map[string]string{"password": h.Person("osei").Password}); q.Status != http.StatusUnauthorized {
		t.Errorf("the old password proves something: %s", q.Text())
	}
	if p = h.post(t, b, p, "password", map[string]string{"password": hospitalWord}); !strings.Contains(p.Text(), "We have all we need") {
		t.Fatalf("not proven: %s", p.Text())
	}
	if err := h.Advance(t.Context(), 25*time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"hale", "admin"} {
		staff := h.browser(who)
		one := h.open(t, staff, regainLink(t, h.open(t, staff, "/staff/recovery"), "/staff/recovery/"))
		h.post(t, staff, h.open(t, staff, regainLink(t, one, "/approve")), "reason", map[string]string{"reason": "called", "answer": "yes"})
	}
	p, err := b.Open(t.Context(), h.at("/recover"), "")
	if err != nil || !strings.Contains(p.Text(), "Your password stays the one of your organization") || p.FormWith("again") != nil {
		t.Fatalf("%v %s", err, p.Text())
	}
	secret := p.FormWith("secret").Field("secret").Value
	code, err := totp.Code(secret, h.Now().Unix()/30)
	if err != nil {
		t.Fatal(err)
	}
	if p = h.post(t, b, p, "code", map[string]string{"code": code}); !strings.Contains(p.Text(), "Sign in with the password of your organization") {
		t.Fatalf("not finished: %s", p.Text())
	}
	if err := h.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	old := h.Person("osei")
	in := kit.Person{Username: "osei", Password: hospitalWord, TOTPSecret: secret}
	if p := h.open(t, h.NewBrowser(in), "/staff"); p.Status != http.StatusOK || p.FormWith("password") != nil {
		t.Errorf("not in: %s", p.Text())
	}
	if p := h.knocks("osei", old.Password); p.Status != http.StatusUnauthorized {
		t.Errorf("the old password is back: %s", p)
	}
}
