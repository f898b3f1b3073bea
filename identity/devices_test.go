package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// tablet and phone are two browsers of one person.
var (
	tablet = identity.Meta{Address: home, Browser: "tablet", Agent: "Safari/iPad"}
	phone  = identity.Meta{Address: "198.51.100.7", Browser: "phone", Agent: "Chrome/Android"}
)

func (h house) on(t *testing.T, m identity.Meta) identity.SignInResult {
	t.Helper()
	r, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// SE-16, SE-19: the cookie in another browser opens nothing there, and from then
// on nothing anywhere.
func TestACopiedCookieEndsTheSession(t *testing.T) {
	h := newHouse(t)
	r := h.on(t, tablet)
	if _, _, err := h.Session(t.Context(), tenant, r.Secret, tablet); err != nil {
		t.Fatal(err)
	}
	_, _, err := h.Session(t.Context(), tenant, r.Secret, phone)
	wantCode(t, err, errs.Unauthenticated, "session-ended")
	if e := lastEvent(t, h); e.Kind != audit.LoggedOut || e.Reason != "session-copied" || e.Outcome != audit.SeriousFailure || e.Network != phone.Address {
		t.Errorf("recorded as %+v", e)
	}
	if len(h.store.ended) != 1 {
		t.Errorf("apps are not told: %v", h.store.ended)
	}
	_, _, err = h.Session(t.Context(), tenant, r.Secret, tablet)
	wantCode(t, err, errs.Unauthenticated, "session-ended")

	h.clock.advance(time.Minute)
	half, err := h.SignIn(t.Context(), tenant, "osei", goodPW, tablet)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.SecondFactor(t.Context(), tenant, half.Secret, h.code(t), phone)
	wantCode(t, err, errs.Unauthenticated, "session-ended")
	_, err = h.SecondFactor(t.Context(), tenant, half.Secret, h.code(t), tablet)
	wantCode(t, err, errs.Unauthenticated, "session-ended")
}

// SE-17: a person sees where they are signed in, and ends one or all others.
func TestSigningOutElsewhere(t *testing.T) {
	h := newHouse(t)
	one := h.on(t, tablet)
	h.clock.advance(time.Second)
	two := h.on(t, phone)
	h.clock.advance(time.Second)
	three := h.on(t, identity.Meta{Browser: "library", Shared: true})
	all, err := h.Sessions(t.Context(), tenant, "p-rosa")
	if err != nil || len(all) != 3 || all[0].Class() != identity.DeviceShared || all[2].Agent != "Safari/iPad" {
		t.Fatalf("%v %+v", err, all)
	}
	foreign := h.finish(t, "osei")
	wantCode(t, h.EndSession(t.Context(), one.Session, foreign.Session.Hash, tablet), errs.NotFound, "session-not-found")
	if err := h.EndSession(t.Context(), one.Session, two.Session.Hash, tablet); err != nil {
		t.Fatal(err)
	}
	_, _, err = h.Session(t.Context(), tenant, two.Secret, phone)
	wantCode(t, err, errs.Unauthenticated, "session-ended")
	if e := lastEvent(t, h); e.Reason != "ended-by-owner" || e.SessionID != two.Session.Hash {
		t.Errorf("recorded as %+v", e)
	}
	if n, err := h.EndOthers(t.Context(), one.Session, tablet); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	_, _, err = h.Session(t.Context(), tenant, three.Secret, identity.Meta{Browser: "library"})
	wantCode(t, err, errs.Unauthenticated, "session-ended")
	if _, _, err := h.Session(t.Context(), tenant, one.Secret, tablet); err != nil {
		t.Errorf("the session that asked is gone: %v", err)
	}
}

// SM-01, SM-06, SE-15: a device becomes known with a finished log-in, a shared one
// never, and a session on a shared one is short.
func TestWhichDevicesBecomeKnown(t *testing.T) {
	h := newHouse(t)
	r := h.on(t, tablet)
	if r.Device == "" || r.Session.Class() != identity.DeviceKnown || len(h.store.devices) != 1 {
		t.Errorf("%+v", r)
	}
	known := tablet
	known.Device = r.Device
	if again := h.on(t, known); again.Device != "" || again.Session.Device != r.Session.Device || len(h.store.devices) != 1 {
		t.Errorf("%+v", again)
	}
	library := identity.Meta{Browser: "library", Shared: true}
	shared := h.on(t, library)
	if shared.Device != "" || len(h.store.devices) != 1 {
		t.Errorf("%+v", shared)
	}
	h.clock.advance(5 * time.Minute)
	_, _, err := h.Session(t.Context(), tenant, shared.Secret, library)
	wantCode(t, err, errs.Unauthenticated, "session-ended")

	half, err := h.SignIn(t.Context(), tenant, "osei", goodPW, phone)
	if err != nil || half.Device != "" || len(h.store.devices) != 1 {
		t.Errorf("half a log-in makes a device known: %v %+v", err, half)
	}
	done, err := h.SecondFactor(t.Context(), tenant, half.Secret, h.code(t), phone)
	if err != nil || done.Device == "" || done.Session.Class() != identity.DeviceKnown || len(h.store.devices) != 2 {
		t.Errorf("%v %+v", err, done)
	}
	if err := h.EndSession(t.Context(), h.on(t, known).Session, shared.Session.Hash, tablet); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
}

func TestWhatABrowserIsCalled(t *testing.T) {
	for agent, want := range map[string]string{
		"": "", "curl/8": "",
		"Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604":                "Safari/iPad",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537 (KHTML, like Gecko) Chrome/130 Safari/537 Edg/130": "Edge/Windows",
		"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0":                                      "Firefox/Linux",
	} {
		if got := identity.AgentOf(agent); got != want {
			t.Errorf("%q is called %q, want %q", agent, got, want)
		}
	}
}

// told gives what notices about signing in were left.
func (h house) toldOf() (out []string) {
	for _, n := range h.store.notices {
		if n.Template == identity.NoticeSignIn {
			out = append(out, n.PersonID+" "+n.Args["what"])
		}
	}
	return out
}

// SM-06, AS-03: the person is told of a device that is new to them, of a copied
// cookie and of the end of tries, each once, and never of their own routine.
func TestPeopleAreToldOfUnusualSignIns(t *testing.T) {
	h := newHouse(t)
	known := tablet
	known.Device = h.on(t, tablet).Device
	h.on(t, known)
	if told := h.toldOf(); len(told) != 0 {
		t.Errorf("told of what is usual: %v", told)
	}
	r := h.on(t, phone)
	if e := lastEvent(t, h); e.Detail["risk"] != "notify: new-device new-network" {
		t.Errorf("recorded as %+v", e)
	}
	if _, _, err := h.Session(t.Context(), tenant, r.Secret, tablet); err == nil {
		t.Error("a copied cookie opens the session")
	}
	for range 120 {
		h.store.failures = map[string][]time.Time{}
		_ = h.patiently(t, "rosa", "guess", identity.Meta{Address: "10.9.9.9", Browser: "robot"})
	}
	if told := strings.Join(h.toldOf(), ", "); told != "p-rosa new-device, p-rosa session-copied, p-rosa sign-in-stopped" {
		t.Errorf("told of %s", told)
	}
}
