package identity_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// words is a directory: by username the entry and the password.
type words struct {
	of             map[string][2]string
	down           bool
	checks, feigns int
}

func (w *words) answer() error {
	if w.down {
		return errs.New(errs.Unavailable, "directory-unreachable", "away")
	}
	return nil
}

func (w *words) Check(_ context.Context, username, entry, password string) (identity.DirectoryAnswer, error) {
	w.checks++
	have, ok := w.of[username]
	a := identity.DirectoryAnswer{Entry: have[0]}
	switch {
	case !ok:
		a.Refused = "directory-entry-absent"
	case password != have[1]:
		a.Refused = "password-wrong"
	case entry != "" && entry != have[0]:
		a.Refused = "directory-entry-changed"
	}
	return a, w.answer()
}

func (w *words) Feign(context.Context) error {
	w.feigns++
	return w.answer()
}

const theirWord = "the word of the hospital"

// keeping is the house with a directory that keeps the password of Dr Osei.
func keeping(t *testing.T) (house, *words) {
	t.Helper()
	h := newHouse(t)
	w := &words{of: map[string][2]string{"osei": {"entry-1", theirWord}}}
	h.deps.Directory = func(at string) identity.Directory {
		if at != tenant {
			return nil
		}
		return w
	}
	h.Service = identity.New(h.deps)
	if err := h.KeepElsewhere(t.Context(), tenant, "osei"); err != nil {
		t.Fatal(err)
	}
	h.store.events, h.store.notices = nil, nil
	return h, w
}

// Whose password the directory keeps is told neither by the work, nor by what the
// directory is asked, nor by the answer, be the directory there or away.
func TestNobodyLearnsWhosePasswordIsElsewhere(t *testing.T) {
	for _, down := range []bool{false, true} {
		h, w := keeping(t)
		w.down = down
		answers := map[string]bool{}
		for _, name := range []string{"osei", "rosa", "gone", "nobody", "bare"} {
			work, asked := h.hasher.decoys.Load()+h.hasher.real.Load(), w.checks+w.feigns
			_, err := h.SignIn(t.Context(), tenant, name, "a wrong word", identity.Meta{Address: home})
			answers[err.Error()] = true
			if n := h.hasher.decoys.Load() + h.hasher.real.Load() - work; n != 1 {
				t.Errorf("%s: %d hashes", name, n)
			}
			if n := w.checks + w.feigns - asked; n != 1 {
				t.Errorf("%s: %d questions", name, n)
			}
		}
		if len(answers) != 1 || w.checks != 1 {
			t.Errorf("down %v: %v, %d checks", down, answers, w.checks)
		}
		// Pauses come at the same tries.
		said := map[string][]string{}
		for _, name := range []string{"osei", "rosa", "nobody"} {
			for range 4 {
				_, err := h.SignIn(t.Context(), tenant, name, "a wrong word", identity.Meta{Address: home})
				said[name] = append(said[name], err.Error())
			}
		}
		if !slices.Equal(said["osei"], said["nobody"]) || !slices.Equal(said["rosa"], said["nobody"]) || said["osei"][0] == said["osei"][3] {
			t.Errorf("down %v: %q", down, said)
		}
		// A right password of here needs nobody else.
		asked := w.checks + w.feigns
		if _, err := h.SignIn(t.Context(), tenant, "tom", goodPW, identity.Meta{Address: home}); err != nil || w.checks+w.feigns != asked {
			t.Errorf("down %v: %v", down, err)
		}
	}
}

// NI-06: a hundred wrong passwords in a row stop an account of the directory as any
// other; tries that nobody could judge are braked and count as none.
func TestPasswordsElsewhereHaveTheSameBrakes(t *testing.T) {
	h, w := keeping(t)
	day := func(pw string) error {
		h.clock.advance(24 * time.Hour)
		h.store.failures = map[string][]time.Time{}
		_, err := h.SignIn(t.Context(), tenant, "osei", pw, identity.Meta{Address: home})
		return err
	}
	for range 99 {
		wantCode(t, day("x"), errs.Unauthenticated, "sign-in-failed")
	}
	w.down = true
	for range 10 {
		wantCode(t, day("x"), errs.Unavailable, "directory-unreachable")
	}
	// Within one quarter of an hour only so many are looked at.
	stopped := 0
	for range 20 {
		if err := h.patiently(t, "osei", "x", identity.Meta{Address: home}); errs.Is(err, errs.RateLimited) {
			stopped++
		}
	}
	if stopped == 0 || stopped == 20 {
		t.Errorf("%d were stopped", stopped)
	}
	w.down = false
	if err := h.patiently(t, "osei", theirWord, identity.Meta{Address: home}); err != nil {
		t.Fatalf("what nobody judged counts: %v", err)
	}
	for range 100 {
		wantCode(t, day("x"), errs.Unauthenticated, "sign-in-failed")
	}
	wantCode(t, day(theirWord), errs.RateLimited, "sign-in-stopped")
}

// The account stays with the entry of its first log-in.
func TestANameThatIsGivenToSomebodyElse(t *testing.T) {
	h, w := keeping(t)
	if err := h.patiently(t, "osei", theirWord, identity.Meta{Address: home}); err != nil {
		t.Fatal(err)
	}
	w.of["osei"] = [2]string{"entry-2", "of another"}
	wantCode(t, h.patiently(t, "osei", "of another", identity.Meta{Address: home}), errs.Unauthenticated, "sign-in-failed")
	if e := lastEvent(t, h); e.Reason != "directory-entry-changed" {
		t.Errorf("recorded as %+v", e)
	}
	// An operator says that it is right.
	for _, move := range []func(context.Context, string, string) error{h.KeepHere, h.KeepElsewhere} {
		if err := move(t.Context(), tenant, "osei"); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.patiently(t, "osei", "of another", identity.Meta{Address: home}); err != nil {
		t.Error(err)
	}
}

// moving moves a password while a new one is being hashed.
type moving struct {
	identity.Passwords
	move func()
}

func (m moving) Hash(ctx context.Context, password string) ([]byte, error) {
	m.move()
	return m.Passwords.Hash(ctx, password)
}

// A password that moves while its owner chooses another stays where it went.
func TestAPasswordThatMovesMeanwhile(t *testing.T) {
	h, _ := keeping(t)
	if err := h.KeepHere(t.Context(), tenant, "osei"); err != nil {
		t.Fatal(err)
	}
	back := newHouse(t)
	deps := back.deps
	deps.Directory = h.deps.Directory
	var moves int
	deps.Passwords = moving{back.hasher, func() {
		moves++
		if err := back.KeepElsewhere(t.Context(), tenant, "osei"); err != nil {
			t.Error(err)
		}
	}}
	in := back.finish(t, "osei")
	err := identity.New(deps).ChangePassword(t.Context(), tenant, in.Secret, "nine herons by the river", identity.Meta{Address: home})
	// The log-in ended with the move.
	if !errs.Is(err, errs.Unauthenticated) || moves != 1 {
		t.Errorf("%v after %d moves", err, moves)
	}
	all, err := back.store.reader().Factors(t.Context(), tenant, "p-osei")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.Kind == identity.FactorPassword {
			t.Error("there is a password again")
		}
	}
	if told := back.told(); !strings.Contains(told, "factor.removed password-moved") {
		t.Error(told)
	}
}
