package identity_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/internal/errs"
)

// SM-21, NI-08: ten codes of 80 bits, each works once, new ones end the old.
func TestRecoveryCodesWorkOnceEach(t *testing.T) {
	h := newHouse(t)
	codes, err := h.NewRecoveryCodes(t.Context(), tenant, h.finish(t, "elena").Secret, identity.Meta{})
	if err != nil || len(codes) != 10 {
		t.Fatal(codes, err)
	}
	for _, f := range h.store.factors {
		if f.Kind == identity.FactorRecovery && strings.Contains(string(f.Secret), strings.ReplaceAll(codes[0], "-", "")) {
			t.Error("a code is stored as it is")
		}
	}
	use := func(code string) (identity.SignInResult, error) {
		return h.SecondFactor(t.Context(), tenant, h.signIn(t, "elena").Secret, code, identity.Meta{Address: home})
	}
	h.store.notices = nil
	// Typed as people do: lower case, spaces, O for 0.
	typed := strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(codes[0], "-", " ")), "0", "o")
	r, err := use(typed)
	if err != nil || r.Session.Level() != identity.AAL2 || len(h.store.notices) != 1 {
		t.Fatalf("%+v %v %v", r, err, h.store.notices)
	}
	_, err = use(codes[0])
	wantCode(t, err, errs.Unauthenticated, "code-refused")
	_, err = h.SecondFactor(t.Context(), tenant, h.signIn(t, "tom").Secret, codes[1], identity.Meta{Address: home})
	wantCode(t, err, errs.Unauthenticated, "code-refused") // another person's

	all, err := h.ManagedFactors(t.Context(), tenant, r.Secret)
	if err != nil || all[2].RecoveryLeft() != 9 {
		t.Errorf("%d factors, %v", len(all), err)
	}
	if _, err := h.NewRecoveryCodes(t.Context(), tenant, r.Secret, identity.Meta{}); err != nil {
		t.Fatal(err)
	}
	_, err = use(codes[2])
	wantCode(t, err, errs.Unauthenticated, "code-refused")
}

// Of fifty tries with one code at once, one counts.
func TestARecoveryCodeCountsOnceAlsoAtOnce(t *testing.T) {
	h := newHouse(t)
	codes, err := h.NewRecoveryCodes(t.Context(), tenant, h.finish(t, "elena").Secret, identity.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	half := h.signIn(t, "elena").Secret
	var wins atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := h.SecondFactor(t.Context(), tenant, half, codes[0], identity.Meta{Address: home}); err == nil {
				wins.Add(1)
			}
		})
	}
	all.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d log-ins", wins.Load())
	}
}

// SM-04: an app counts once it shows the right code, in the session that began it.
func TestACodeAppIsSetUp(t *testing.T) {
	h := newHouse(t)
	rosa := h.signIn(t, "rosa").Secret
	begin := func() identity.CodeApp {
		app, err := h.BeginCodeApp(t.Context(), tenant, rosa, window)
		if err != nil {
			t.Fatal(err)
		}
		return app
	}
	app := begin()
	if !strings.HasPrefix(string(app.QR), "\x89PNG") || len(app.Secret) != 32 {
		t.Errorf("%d bytes of picture, secret of %d", len(app.QR), len(app.Secret))
	}
	code := func(secret string) string {
		c, err := totp.Code(secret, h.clock.Now().Unix()/30)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	add := func(browser, code string, app identity.CodeApp) error {
		return h.AddCodeApp(t.Context(), tenant, rosa, browser, "Phone", code, app, identity.Meta{})
	}
	wantCode(t, add(window, "000000", app), errs.Unauthenticated, "code-refused")
	wantCode(t, add("another browser", code(app.Secret), app), errs.Unauthenticated, "challenge-foreign")
	// A secret of the attacker's choice was never given out.
	wantCode(t, add(window, code(totpKey), identity.CodeApp{Secret: totpKey, Proof: app.Proof}), errs.Unauthenticated, "challenge-foreign")
	if again, err := h.CodeAppAgain(t.Context(), tenant, rosa, window, app); err != nil || len(again.QR) == 0 {
		t.Error(err)
	}
	late := begin()
	if err := add(window, code(app.Secret), app); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(identity.ChallengeLife)
	wantCode(t, add(window, code(late.Secret), late), errs.Unauthenticated, "challenge-late")
	half := h.signIn(t, "rosa")
	if !half.NeedsSecondFactor {
		t.Fatal("the app is not asked for")
	}
	full, err := h.SecondFactor(t.Context(), tenant, half.Secret, code(app.Secret), identity.Meta{Address: home})
	if err != nil || full.Session.Level() != identity.AAL2 {
		t.Error(full, err)
	}
	// The code that set it up was used up.
	h = newHouse(t)
	rosa = h.signIn(t, "rosa").Secret
	app = begin()
	first := code(app.Secret)
	if err := add(window, first, app); err != nil {
		t.Fatal(err)
	}
	_, err = h.SecondFactor(t.Context(), tenant, h.signIn(t, "rosa").Secret, first, identity.Meta{Address: home})
	wantCode(t, err, errs.Unauthenticated, "code-refused")
}

// SM-05, NI-04: staff, and whoever is at particular risk, need a key that stays on
// its device, and are told so.
func TestSyncedPasskeysAreNotForEverybody(t *testing.T) {
	h, d := newHouse(t), ownKey()
	d.Synced = true
	refused := func(name string) {
		t.Helper()
		secret := h.finish(t, name).Secret
		options, err := h.BeginPasskey(t.Context(), tenant, secret, window)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := d.Create(options)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.AddPasskey(t.Context(), tenant, secret, window, "", answer, identity.Meta{})
		wantCode(t, err, errs.Forbidden, "passkey-synced")
	}
	refused("osei")
	h.clock.advance(30 * time.Second)
	if err := h.SetHighRisk(t.Context(), tenant, "ELENA", true); err != nil {
		t.Fatal(err)
	}
	refused("elena")
	wantCode(t, h.SetHighRisk(t.Context(), tenant, "nobody", true), errs.NotFound, "missing")

	// Whoever is marked later can no longer use the one they have.
	rosa := h.signIn(t, "rosa").Secret
	h.enrolled(t, rosa, d)
	if err := h.SetHighRisk(t.Context(), tenant, "rosa", true); err != nil {
		t.Fatal(err)
	}
	_, err := h.byPasskey(t, h.asked(t, d, window))
	wantCode(t, err, errs.Forbidden, "passkey-synced")
	if !strings.HasSuffix(h.told(), "login.failed passkey-synced") {
		t.Error(h.told())
	}
	choices, err := h.StepUp(t.Context(), tenant, rosa, window, identity.AAL2)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Get(choices.Passkey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.StepUpWithPasskey(t.Context(), tenant, rosa, window, answer, identity.Meta{})
	wantCode(t, err, errs.Forbidden, "passkey-synced")
}

// SM-02, NI-01, SP-20: assurance by role and action.
func TestDemands(t *testing.T) {
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	password := identity.Session{AMR: []string{"pwd"}, AuthTime: now.Add(-time.Hour)}
	both := identity.Session{AMR: []string{"pwd", "otp"}, AuthTime: now.Add(-time.Hour)}
	fresh := identity.Session{AMR: []string{"pop", "mfa"}, AuthTime: now.Add(-time.Minute)}
	half := identity.Session{AuthTime: now}
	justNow := identity.Session{AMR: []string{"pwd"}, AuthTime: now}
	late := identity.Session{AMR: []string{"pop", "mfa"}, AuthTime: now.Add(-6 * time.Minute)}
	for _, c := range []struct {
		action identity.Action
		role   identity.Role
		s      identity.Session
		want   bool
	}{
		{identity.ActLook, identity.RolePatient, password, true},
		{identity.ActLook, identity.RolePatient, half, false},
		{identity.ActLook, identity.RoleProxy, password, false},
		{identity.ActLook, identity.RoleProxy, both, true},
		{identity.ActLook, identity.RoleClinician, password, false},
		{identity.ActConsole, identity.RoleAdmin, password, false},
		{identity.ActConsole, identity.RoleAdmin, both, true},
		{identity.ActConsole, identity.RolePatient, password, false},
		{identity.ActAuthenticators, identity.RolePatient, password, false},
		{identity.ActAuthenticators, identity.RoleProxy, both, false},
		{identity.ActAuthenticators, identity.RoleProxy, fresh, true},
		{identity.ActShare, identity.RolePatient, justNow, false},
		{identity.ActShare, identity.RolePatient, both, false},
		{identity.ActShare, identity.RolePatient, fresh, true},
		{identity.ActShare, identity.RolePatient, late, false},
		{"something new", identity.RoleProxy, password, false},
	} {
		if got := identity.Demanded(identity.DefaultDemands(), identity.Ask{Action: c.action, Role: c.role}).Met(c.s, now); got != c.want {
			t.Errorf("%s as %s with %v: %v", c.action, c.role, c.s.AMR, got)
		}
	}
}
