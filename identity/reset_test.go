package identity_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// NI-05: a password that was taken over from another system lets its person in, and is
// stored in the form of now from then on; a wrong one changes nothing.
func TestAPasswordFromElsewhereIsStoredAnew(t *testing.T) {
	h := newHouse(t)
	// The example of passlib's documentation.
	old := "$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44"
	_, err := h.CreateAccount(t.Context(), identity.NewAccount{
		Person: identity.Person{Tenant: tenant, ID: "p-lea", Username: "lea", Role: identity.RolePatient}, PasswordHash: []byte(old),
	})
	if err != nil {
		t.Fatal(err)
	}
	stored := func() string {
		t.Helper()
		all, err := h.store.reader().Factors(t.Context(), tenant, "p-lea")
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return string(all[0].Secret)
	}
	_, err = h.SignIn(t.Context(), tenant, "lea", "passwort", faraway())
	wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	if stored() != old {
		t.Error("a wrong password replaced the stored one")
	}
	for range 2 {
		if _, err := h.SignIn(t.Context(), tenant, "lea", "password", faraway()); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(stored(), "$argon2id$") {
			t.Errorf("it stays: %s", stored())
		}
	}
}

// A password that was reset is refused like a wrong one, its sessions are over, and
// the way back gives another one.
func TestAResetPasswordIsOver(t *testing.T) {
	h := newHouse(t)
	secret := h.signIn(t, "rosa").Secret
	codes, err := h.NewRecoveryCodes(t.Context(), tenant, secret, identity.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.ResetPassword(t.Context(), tenant, "ROSA"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, h.ResetPassword(t.Context(), tenant, "nobody"), errs.NotFound, "account-not-found")
	_, _, err = h.Session(t.Context(), tenant, secret, identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "session-ended")
	_, err = h.SignIn(t.Context(), tenant, "rosa", goodPW, faraway())
	wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	_, back := h.byMail(t, "rosa")
	_, _, err = h.prove(t, identity.RecoveryTry{Username: "rosa", Secret: back, Kind: identity.ProofPassword, Value: goodPW})
	wantCode(t, err, errs.Unauthenticated, "recovery-refused")
	if _, _, err := h.prove(t, identity.RecoveryTry{Username: "rosa", Secret: back, Kind: identity.ProofRecovery, Value: codes[3]}); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(identity.RecoveryWait)
	if err := h.FinishRecovery(t.Context(), tenant, identity.Regained{Secret: back, Password: newPW}, faraway()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.SignIn(t.Context(), tenant, "rosa", newPW, faraway()); err != nil {
		t.Error(err)
	}
}
