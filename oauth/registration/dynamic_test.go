package registration_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

func dynamic(p registration.Policy) (*registration.Dynamic, *registry, *still) {
	s, r, c := newService()
	return &registration.Dynamic{Service: s, Policy: p, HashSecret: func(h ids.Hasher, secret string) string { return h.Hash("client-secret", secret) }}, r, c
}

// The grant types that open more than a log-in.
const (
	device   = "urn:ietf:params:oauth:grant-type:device_code"
	exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

func asking() registration.Request {
	return registration.Request{Tenant: "main", Metadata: registration.Metadata{
		Name: "Heart Diary", AuthMethod: "client_secret_basic", RedirectURIs: []string{"https://app.example/cb"}, Scope: "openid launch/patient patient/*.rs",
	}, Origin: audit.Event{Network: "192.0.2.7"}}
}

// RFC 7591: who may register, and what a registration is worth, is the
// organization's decision; the secure one is the default.
//
// long: one story of an invitation, from its making to its end.
func TestModes(t *testing.T) {
	ctx := t.Context()
	for _, mode := range []registration.Mode{"", registration.Off, "nonsense"} {
		d, r, _ := dynamic(registration.Policy{Mode: mode})
		if _, err := d.Register(ctx, asking()); !errs.Is(err, errs.NotFound) || len(r.clients) > 0 {
			t.Errorf("%q: %v", mode, err)
		}
	}
	d, r, clock := dynamic(registration.Policy{Mode: registration.ByToken})
	if _, err := d.Register(ctx, asking()); !errs.Is(err, errs.Unauthenticated) {
		t.Error(err)
	}
	invite := func(life time.Duration) string {
		t.Helper()
		token, ends, err := d.Invite(ctx, "main", life, audit.Event{PersonID: "olga"})
		if err != nil || !ends.After(clock.at) || r.told() != "client.registered C initial-token-made  olga" {
			t.Fatalf("%v %s %q", err, ends, r.told())
		}
		return token
	}
	with := func(token string) error {
		req := asking()
		req.Token = token
		_, err := d.Register(ctx, req)
		return err
	}
	token := invite(time.Hour)
	wrong := []string{"x", "a.b.c", token + "0", "A" + token, strings.Replace(token, ".1", ".2", 1), ".." + token}
	for _, other := range wrong {
		if err := with(other); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("%q: %v", other, err)
		}
	}
	elsewhere := asking()
	elsewhere.Token, elsewhere.Tenant = token, "other"
	if _, err := d.Register(ctx, elsewhere); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("a token of another tenant: %v", err)
	}
	spoilt := asking()
	spoilt.Token, spoilt.Metadata.Name = token, ""
	if _, err := d.Register(ctx, spoilt); !errs.Is(err, errs.InvalidClientMetadata) {
		t.Error(err)
	}
	// A refused registration does not use it up; a good one does.
	if err := with(token); err != nil {
		t.Error(err)
	}
	if err := with(token); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("used twice: %v", err)
	}
	token = invite(time.Hour)
	clock.at = clock.at.Add(time.Hour)
	if err := with(token); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("after its end: %v", err)
	}
	for _, life := range []time.Duration{0, -1, registration.MaxInvitation + 1} {
		if _, _, err := d.Invite(ctx, "main", life, audit.Event{}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", life, err)
		}
	}
}

// A client that anybody registered waits: it is disabled until an operator
// approves it. What an operator made a token for, and with the policy for it an
// app for single patients, does not.
func TestWhoWaitsForApproval(t *testing.T) {
	ctx := t.Context()
	keys, _ := keySet(t, "k1")
	auto := registration.Policy{Mode: registration.ByApproval, AutoPatient: true}
	for name, row := range map[string]struct {
		policy registration.Policy
		change func(*registration.Metadata)
		waits  bool
	}{
		"approval":          {registration.Policy{Mode: registration.ByApproval}, nil, true},
		"auto, one patient": {auto, nil, false},
		"auto, no scope":    {auto, func(m *registration.Metadata) { m.Scope = "" }, false},
		"auto, user":        {auto, func(m *registration.Metadata) { m.Scope += " user/Patient.rs" }, true},
		"auto, backend": {auto, func(m *registration.Metadata) {
			m.AuthMethod, m.RedirectURIs, m.GrantTypes, m.JWKS, m.Scope = "private_key_jwt", nil, []string{"client_credentials"}, keys, "system/*.rs"
		}, true},
	} {
		d, r, _ := dynamic(row.policy)
		req := asking()
		if row.change != nil {
			row.change(&req.Metadata)
		}
		out, err := d.Register(ctx, req)
		if err != nil || out.Client.Registration.Pending != row.waits || out.Client.Disabled != row.waits || !out.Client.Registration.Asked.Equal(noon()) {
			t.Errorf("%s: %+v %v", name, out.Client, err)
		}
		want := "client.registered C  "
		if row.waits {
			want = "client.registered C client-pending "
		}
		if r.told() != want+out.Client.ID+" " {
			t.Errorf("%s: %q", name, r.told())
		}
		stored := r.clients["main/"+out.Client.ID]
		if stored.Registration.TokenHash == "" || strings.Contains(stored.Registration.TokenHash, out.Token) || out.Secret != "" && strings.Contains(strings.Join(stored.SecretHashes, ""), out.Secret) {
			t.Errorf("%s: a credential is stored as it is", name)
		}
	}
	d, _, _ := dynamic(auto)
	req := asking()
	req.Metadata.GrantTypes, req.Metadata.Scope = []string{"client_credentials"}, ""
	req.Metadata.AuthMethod, req.Metadata.RedirectURIs, req.Metadata.JWKS = "private_key_jwt", nil, keys
	if _, err := d.Register(ctx, req); !errs.Is(err, errs.InvalidClientMetadata) {
		t.Errorf("a backend without scope: %v", err)
	}
}

// RFC 7592: with its token, which changes with each replacement, a maker sees,
// changes and deletes its client and no other.
//
// long: one story of a client and its token.
func TestManagement(t *testing.T) {
	ctx := t.Context()
	d, r, _ := dynamic(registration.Policy{Mode: registration.ByApproval})
	out, err := d.Register(ctx, asking())
	if err != nil {
		t.Fatal(err)
	}
	id := out.Client.ID
	if _, err := d.Approve(ctx, "main", id, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	req := asking()
	req.ID, req.Token = id, out.Token
	for name, bad := range map[string]registration.Request{
		"no token": {Tenant: "main", ID: id}, "wrong": {Tenant: "main", ID: id, Token: "x"}, "nobody's": {Tenant: "main", ID: "nobody", Token: out.Token},
		"other tenant": {Tenant: "other", ID: id, Token: out.Token},
	} {
		bad.Metadata = asking().Metadata
		_, err1 := d.Managed(ctx, bad)
		_, err2 := d.Replace(ctx, bad)
		for _, err := range []error{err1, err2, d.Remove(ctx, bad)} {
			if !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if c, err := d.Managed(ctx, req); err != nil || c.ID != id {
		t.Error(err)
	}
	replace := func(change func(*registration.Metadata)) registration.Issued {
		t.Helper()
		change(&req.Metadata)
		next, err := d.Replace(ctx, req)
		if err != nil || next.Token == req.Token {
			t.Fatalf("%v", err)
		}
		if _, err := d.Replace(ctx, req); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("the token before: %v", err)
		}
		req.Token = next.Token
		return next
	}
	next := replace(func(m *registration.Metadata) {
		m.Contacts, m.SoftwareVersion, m.Scope = []string{"dev@app.example"}, "2", "patient/Observation.rs openid"
	})
	if next.Client.Disabled || next.Secret != "" || len(next.Client.SecretHashes) != 1 || next.Client.Scopes != "patient/Observation.rs openid" {
		t.Errorf("%+v", next)
	}
	// What an operator gave stays.
	given := r.clients["main/"+id]
	given.Introspect, given.AllowedAddresses, given.AccessTokenFormat = true, []string{"192.0.2.0/24"}, oauth.FormatOpaque
	r.clients["main/"+id] = given
	if next = replace(func(m *registration.Metadata) { m.SoftwareVersion = "2.1" }); !next.Client.Introspect || len(next.Client.AllowedAddresses) != 1 || next.Client.AccessTokenFormat != oauth.FormatOpaque {
		t.Errorf("a maker changed its rights: %+v", next.Client)
	}
	// What people and operators go by is approved anew.
	for name, change := range map[string]func(*registration.Metadata){
		"name":     func(m *registration.Metadata) { m.Name = "Your Bank" },
		"redirect": func(m *registration.Metadata) { m.RedirectURIs = append(m.RedirectURIs, "https://evil.example/cb") },
		"scope":    func(m *registration.Metadata) { m.Scope += " user/*.rs" },
		"told of":  func(m *registration.Metadata) { m.BackchannelLogoutURI = "https://evil.example/told" },
		"way back": func(m *registration.Metadata) { m.PostLogoutRedirectURIs = []string{"https://evil.example/"} },
		"reasons":  func(m *registration.Metadata) { m.RequiredScopes = map[string]string{"openid": "We must know you."} },
		"device":   func(m *registration.Metadata) { m.GrantTypes = []string{"authorization_code", device} },
		"exchange": func(m *registration.Metadata) { m.GrantTypes = []string{"authorization_code", exchange} },
		"log-in":   func(m *registration.Metadata) { m.DefaultMaxAge = 86400 },
	} {
		before := r.clients["main/"+id]
		next = replace(change)
		if !next.Client.Disabled || !next.Client.Registration.Pending || next.Client.Epoch != before.Epoch+1 {
			t.Errorf("%s: %+v", name, next.Client)
		}
		if _, err := d.Approve(ctx, "main", id, audit.Event{}); err != nil {
			t.Error(err)
		}
	}
	// A maker cannot lift what an operator did, nor change what is not valid.
	if _, err := d.Disable(ctx, "main", id, registration.ReasonDisabled, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if next = replace(func(m *registration.Metadata) { m.SoftwareVersion = "3" }); !next.Client.Disabled {
		t.Error("enabled by its maker")
	}
	req.Metadata.RedirectURIs = []string{"http://app.example/cb"}
	if _, err := d.Replace(ctx, req); !errs.Is(err, errs.InvalidRedirectURI) {
		t.Error(err)
	}
	if err := d.Remove(ctx, req); err != nil || r.told() != "client.changed D client-deleted-by-maker "+id+" " {
		t.Errorf("%v %q", err, r.told())
	}
	if _, err := d.Managed(ctx, req); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("a deleted client: %v", err)
	}
}

// REG-08: ten business days to verify the maker, five more to approve, counted
// without weekends and holidays; approving vouches for the maker too.
//
// long: one story of a registration, day by day.
func TestClocks(t *testing.T) {
	ctx := t.Context()
	holidays, wrong := registration.ReadHolidays([]string{"2026-11-26", "2026-12-25"})
	if wrong != "" {
		t.Fatal(wrong)
	}
	if _, wrong := registration.ReadHolidays([]string{"2026-02-30"}); wrong == "" {
		t.Error("30 February is a day")
	}
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d, r, clock := dynamic(registration.Policy{Mode: registration.ByApproval})
	out, err := d.Register(ctx, asking()) // a Friday
	if err != nil {
		t.Fatal(err)
	}
	at := func(now string) registration.Clocks {
		return holidays.ClocksOf(r.clients["main/"+out.Client.ID], day(now).Add(10*time.Hour))
	}
	for now, left := range map[string]int{"2026-11-20": 10, "2026-11-21": 10, "2026-11-23": 9, "2026-11-26": 7, "2026-12-07": 0, "2026-12-08": -1, "2026-12-13": -4} {
		k := at(now)
		if !k.Authenticity.Due.Equal(day("2026-12-08")) || k.Authenticity.DaysLeft != left || k.Authenticity.Late != (left < 0) || !k.Production.Due.IsZero() {
			t.Errorf("%s: %+v", now, k)
		}
	}
	if list, err := d.Waiting(ctx, "main"); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
	clock.at = day("2026-12-21")
	if _, err := d.VerifyMaker(ctx, "main", out.Client.ID, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	k := at("2026-12-28")
	if !k.Authenticity.Late || k.Production.Late || !k.Production.Due.Equal(day("2026-12-30")) || k.Production.DaysLeft != 1 || !k.Production.LastDay().Equal(day("2026-12-29")) {
		t.Errorf("%+v", k)
	}
	if c := r.clients["main/"+out.Client.ID]; !c.Disabled || c.Verified.IsZero() {
		t.Errorf("%+v", c)
	}
	clock.at = day("2026-12-28")
	if _, err := d.Approve(ctx, "main", out.Client.ID, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if k := at("2027-02-01"); k.Production.Late || !k.Production.Done.Equal(clock.at) {
		t.Errorf("%+v", k)
	}
	if c := r.clients["main/"+out.Client.ID]; c.Disabled || registration.StatusOf(c) != "approved" {
		t.Errorf("%+v", c)
	}
	for _, err := range []error{d.Refuse(ctx, "main", out.Client.ID, audit.Event{}), errOf(d.Approve(ctx, "main", out.Client.ID, audit.Event{}))} {
		if !errs.Is(err, errs.Conflict) {
			t.Errorf("decided twice: %v", err)
		}
	}
	other, err := d.Register(ctx, asking())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Enable(ctx, "main", other.Client.ID, audit.Event{}); !errs.Is(err, errs.Conflict) {
		t.Errorf("enabled without approval: %v", err)
	}
	if err := d.Refuse(ctx, "main", other.Client.ID, audit.Event{PersonID: "olga"}); err != nil || registration.StatusOf(r.clients["main/"+other.Client.ID]) != "deleted" {
		t.Error(err)
	}
}

func errOf(_ oauth.Client, err error) error { return err }

// REG-08: on whatever day an app asks, all days of the clock are left.
func TestClockIsFullOnItsFirstDay(t *testing.T) {
	h := registration.Holidays{"2026-11-26": true}
	for i := range 14 {
		asked := time.Date(2026, 11, 16+i, 23, 59, 0, 0, time.UTC)
		if due := h.After(asked, 10); h.Left(asked, due) != 10 || h.Left(due.Add(-time.Second), due) != 0 || h.Left(due, due) > 0 {
			t.Errorf("%s: due %s, %d left", asked.Weekday(), due, h.Left(asked, due))
		}
	}
}

// RFC 8628, RFC 8693: a client asks for what these grant types open by naming
// them, an operator decides, and leaving them out gives them back.
func TestGrantTypesOpenDevicesAndExchange(t *testing.T) {
	ctx := t.Context()
	d, r, _ := dynamic(registration.Policy{Mode: registration.ByApproval, AutoPatient: true})
	req := asking()
	req.Metadata.GrantTypes, req.Metadata.RedirectURIs = []string{device, exchange}, nil
	out, err := d.Register(ctx, req)
	c := out.Client
	if err != nil || !c.DeviceFlow || !c.TokenExchange || !c.Registration.Pending {
		t.Fatalf("%v %+v", err, c)
	}
	if got := registration.GrantTypes(c); !slices.Equal(got, []string{"refresh_token", device, exchange}) {
		t.Error(got)
	}
	if _, err := d.Approve(ctx, "main", c.ID, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	req = asking()
	req.ID, req.Token, req.Metadata.GrantTypes = c.ID, out.Token, []string{"authorization_code"}
	if _, err := d.Replace(ctx, req); err != nil {
		t.Fatal(err)
	}
	if c = r.clients["main/"+c.ID]; c.DeviceFlow || c.TokenExchange {
		t.Errorf("%+v", c)
	}
	public := asking()
	public.Metadata.GrantTypes, public.Metadata.AuthMethod = []string{exchange}, "none"
	if _, err := d.Register(ctx, public); !errs.Is(err, errs.InvalidClientMetadata) {
		t.Errorf("a public client that acts for others: %v", err)
	}
}

// ring names the newest key of keyed hashes.
type ring struct{ newest string }

func (r *ring) NewestHashKey(time.Time) (string, *ids.HashKey) { return r.newest, r.HashKey(r.newest) }
func (*ring) HashKey(mark string) *ids.HashKey                 { return ids.NewHashKey([]byte(mark)) }

// A registration access token is hashed anew, when it is shown, under the newest
// key, so that the key before can go.
func TestAManagementTokenFollowsTheHashKey(t *testing.T) {
	ctx := t.Context()
	d, r, _ := dynamic(registration.Policy{Mode: registration.ByApproval})
	keys := &ring{"k1~"}
	d.Hasher = func(context.Context, string) (ids.Hasher, error) { return ids.Hasher{Keys: keys}, nil }
	out, err := d.Register(ctx, asking())
	if err != nil {
		t.Fatal(err)
	}
	stored := func() string { return r.clients["main/"+out.Client.ID].Registration.TokenHash }
	req := registration.Request{Tenant: "main", ID: out.Client.ID, Token: out.Token}
	if keys.newest = "k2~"; !strings.HasPrefix(stored(), "k1~") {
		t.Fatal(stored())
	}
	for range 2 {
		if _, err := d.Managed(ctx, req); err != nil || !strings.HasPrefix(stored(), "k2~") {
			t.Errorf("%v %s", err, stored())
		}
	}
}
