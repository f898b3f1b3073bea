package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/risk"
	"github.com/mandate-health/mandate/internal/errs"
)

// The networks of the stories, and where they are: Madrid, Barcelona, Buenos Aires.
const (
	madrid      = "192.0.2.1"
	barcelona   = "198.51.100.1"
	buenosAires = "203.0.113.1"
)

func placed(network string) (identity.Place, bool) {
	at, ok := map[string]identity.Place{
		"192.0.2.0/24":    {Country: "ES", Latitude: 40.4, Longitude: -3.7, Located: true},
		"198.51.100.0/24": {Country: "ES", Latitude: 41.4, Longitude: 2.2, Located: true},
		"203.0.113.0/24":  {Country: "AR", Latitude: -34.6, Longitude: -58.4, Located: true},
	}[network]
	return at, ok
}

// abroad is a house in which addresses have places, and one password is known to
// thieves.
func abroad(t *testing.T) house {
	t.Helper()
	h := newHouse(t)
	d := h.deps
	d.Places, d.Leaked = placed, func(pw string) (bool, error) { return pw == "leaked "+goodPW, nil }
	h.Service = identity.New(d)
	return h
}

func from(address, browser string) identity.Meta {
	return identity.Meta{Address: address, Browser: browser, Agent: "Firefox/Linux"}
}

// SM-07, SM-08: a strange device in a country that the person was never in opens
// nothing with a password alone; two factors do, travelling does, and a device that
// is known does. The person is told each time.
func TestANewCountry(t *testing.T) {
	h := abroad(t)
	home := from(madrid, "tablet")
	r, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, home)
	if err != nil {
		t.Fatal(err)
	}
	home.Device = r.Device
	h.clock.advance(48 * time.Hour)
	_, err = h.SignIn(t.Context(), tenant, "rosa", goodPW, from(buenosAires, "cafe"))
	wantCode(t, err, errs.AccessDenied, "sign-in-unusual")
	if e := lastEvent(t, h); e.Kind != audit.LoginFailed || e.Outcome != audit.SeriousFailure || e.Detail["risk"] != "step-up: new-device new-network new-country" {
		t.Errorf("recorded as %+v", e)
	}
	if told := strings.Join(h.toldOf(), ", "); told != "p-rosa sign-in-refused" {
		t.Errorf("told of %s", told)
	}
	if len(h.store.devices) != 1 {
		t.Error("a refused device is known")
	}
	if _, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, from(barcelona, "library")); err != nil {
		t.Errorf("another town: %v", err)
	}
	taken := home
	taken.Address = buenosAires
	if _, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, taken); err != nil {
		t.Errorf("her own tablet, taken along: %v", err)
	}

	if err := h.SetTravel(t.Context(), tenant, r.Secret, h.clock.Now().Add(61*24*time.Hour), home); !errs.Is(err, errs.Invalid) {
		t.Errorf("a journey of months: %v", err)
	}
	for name, m := range map[string]identity.Meta{"tom": from(madrid, "toms")} {
		half, err := h.SignIn(t.Context(), tenant, name, goodPW, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = h.SecondFactor(t.Context(), tenant, half.Secret, h.code(t), m); err != nil {
			t.Fatal(err)
		}
	}
	h.clock.advance(48 * time.Hour)
	away := from(buenosAires, "hotel")
	half, err := h.SignIn(t.Context(), tenant, "tom", goodPW, away)
	if err == nil {
		_, err = h.SecondFactor(t.Context(), tenant, half.Secret, h.code(t), away)
	}
	if e := lastEvent(t, h); err != nil || e.Detail["risk"] != "notify: new-device new-network new-country" {
		t.Errorf("two factors: %v %+v", err, e)
	}
}

// SM-07: who said that they travel is not stopped, and still told.
func TestTravelling(t *testing.T) {
	h := abroad(t)
	home := from(madrid, "tablet")
	r, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, home)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetTravel(t.Context(), tenant, r.Secret, h.clock.Now().Add(20*24*time.Hour), home); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(48 * time.Hour)
	if _, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, from(buenosAires, "hotel")); err != nil {
		t.Errorf("%v", err)
	}
	if told := strings.Join(h.toldOf(), ", "); told != "p-rosa new-device" {
		t.Errorf("told of %s", told)
	}
}

// SM-08, SM-19: an impossible journey, a password that thieves know, and five networks
// in an hour, on strange devices with a password alone.
func TestWhatStopsAStrangeDevice(t *testing.T) {
	h := abroad(t)
	if _, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, from(madrid, "tablet")); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(10 * time.Minute)
	_, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, from(buenosAires, "cafe"))
	wantCode(t, err, errs.AccessDenied, "sign-in-unusual")
	if e := lastEvent(t, h); !strings.Contains(e.Detail["risk"], "impossible-travel") {
		t.Errorf("recorded as %+v", e)
	}
	for _, network := range []string{"10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"} {
		h.clock.advance(time.Minute)
		for _, name := range []string{"a", "b"} {
			if _, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, from(network, name+network)); err != nil {
				t.Fatalf("%s: %v", network, err)
			}
		}
	}
	_, err = h.SignIn(t.Context(), tenant, "rosa", goodPW, from("10.5.0.1", "e"))
	wantCode(t, err, errs.RateLimited, "too-many-tries")
	h.clock.advance(time.Hour)
	if _, err = h.SignIn(t.Context(), tenant, "rosa", goodPW, from("10.5.0.1", "e")); err != nil {
		t.Errorf("an hour later: %v", err)
	}

	const leaked = "leaked " + goodPW
	if _, err := h.CreateAccount(t.Context(), identity.NewAccount{Password: leaked, Person: identity.Person{
		Tenant: tenant, ID: "p-luis", Username: "luis", Role: identity.RolePatient}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.SignIn(t.Context(), tenant, "luis", leaked, from(madrid, "luis")); err != nil {
		t.Fatalf("the first log-in ever: %v", err)
	}
	_, err = h.SignIn(t.Context(), tenant, "luis", leaked, from(madrid, "thief"))
	wantCode(t, err, errs.AccessDenied, "sign-in-unusual")
}

// SM-19, AS-03: who has a password and is turned away cannot fill the mailbox of its
// owner; the log has each of the tries.
func TestRefusalsFloodNoMailbox(t *testing.T) {
	h := abroad(t)
	if _, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, from(madrid, "tablet")); err != nil {
		t.Fatal(err)
	}
	try := func() {
		t.Helper()
		h.clock.advance(time.Minute)
		_, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, from(buenosAires, "cafe"))
		wantCode(t, err, errs.AccessDenied, "sign-in-unusual")
	}
	for range 10 {
		try()
	}
	if told := strings.Count(strings.Join(h.toldOf(), ", "), "sign-in-refused"); told != 3 {
		t.Errorf("told %d times", told)
	}
	refused := 0
	for _, e := range h.store.events {
		if e.Reason == "sign-in-unusual" {
			refused++
		}
	}
	if refused != 10 {
		t.Errorf("the log has %d", refused)
	}
}

// What is not looked at is said with what lacks (SM-07).
func TestSignals(t *testing.T) {
	for _, s := range risk.Signals(nil, false) {
		place := s.Name == "new-country" || s.Name == "impossible-travel"
		if place != (s.Inactive == "places") || (s.Name == "known-password") != (s.Inactive == "passwords") {
			t.Errorf("%+v", s)
		}
	}
}
