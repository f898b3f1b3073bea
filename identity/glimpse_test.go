package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// seen tells what it was given before the store.
type seen struct {
	store identity.Ports
	kept  map[string]identity.Session
	read  int
}

func (s *seen) SessionSeen(ctx context.Context, tenant, hash string, good func(identity.Session) bool) (identity.Session, identity.Person, error) {
	if v, ok := s.kept[hash]; ok && good(v) {
		p, err := s.store.PersonByID(ctx, tenant, v.PersonID)
		return v, p, err
	}
	s.read++
	v, p, err := s.store.SessionWithPerson(ctx, tenant, hash)
	s.kept[hash] = v
	return v, p, err
}

// D17: a page on which nothing is decided may know its person from memory: never
// past the session's end, never without noting its use, and never from another
// browser.
func TestAGlimpseComesFromMemory(t *testing.T) {
	h := newHouse(t)
	from := &seen{store: h.store.reader(), kept: map[string]identity.Session{}}
	looks := identity.New(identity.Deps{
		Tx: h.store, Store: h.store.reader(), Seen: from, Passwords: h.hasher, Codes: totp.Codes{}, Clock: h.clock, Hasher: ids.Hasher{Key: []byte("test key")},
	})
	r, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{Address: home, Browser: "firefox"})
	if err != nil {
		t.Fatal(err)
	}
	look := func(browser string) (identity.Session, error) {
		s, p, err := looks.Glimpse(t.Context(), tenant, r.Secret, identity.Meta{Address: home, Browser: browser})
		if err == nil && p.Username != "rosa" {
			t.Errorf("%+v", p)
		}
		return s, err
	}
	for range 3 {
		if _, err := look("firefox"); err != nil || from.read != 1 {
			t.Fatalf("read %d times: %v", from.read, err)
		}
	}
	h.clock.advance(20 * time.Minute)
	s, err := look("firefox")
	if err != nil || from.read != 2 || !s.LastSeen.Equal(h.clock.Now()) {
		t.Fatalf("use was not noted: %+v %v", s, err)
	}
	h.clock.advance(20 * time.Minute)
	if _, err := look("firefox"); err != nil {
		t.Fatalf("a session in use ended: %v", err)
	}
	h.clock.advance(time.Hour)
	_, err = look("firefox")
	wantCode(t, err, errs.Unauthenticated, "session-ended")

	r = h.signIn(t, "rosa")
	if _, err = look(""); err != nil {
		t.Fatal(err)
	}
	r, err = h.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{Address: home, Browser: "firefox"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = look("firefox"); err != nil {
		t.Fatal(err)
	}
	_, err = look("another")
	wantCode(t, err, errs.Unauthenticated, "session-ended")
}
