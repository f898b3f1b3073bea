package password_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/identity/factor/password"
	"github.com/mandate-health/mandate/internal/errs"
)

// cheap keeps the tests quick; the format and the rules are the same.
func cheap() *password.Hasher {
	return password.New(password.Config{MemoryKiB: 64, Passes: 1, Slots: 2})
}

// NI-05: any characters, any keyboard, no composition rule.
func TestAPasswordIsFoundAgain(t *testing.T) {
	h := cheap()
	for _, c := range []struct {
		name, set, typed string
		want             bool
	}{
		{"the same", "correct horse battery", "correct horse battery", true},
		{"another", "correct horse battery", "correct horse batterz", false},
		{"case matters", "correct horse battery", "Correct horse battery", false},
		{"spaces matter", "correct horse battery", "correct horse battery ", false},
		{"composed and decomposed accents are one", "contraseña-aún", "contrasen\u0303a-au\u0301n", true},
		{"empty", "correct horse battery", "", false},
		{"cut off", strings.Repeat("x", password.MaxBytes), strings.Repeat("x", password.MaxBytes-1), false},
		{"too long is not cut to fit", strings.Repeat("x", password.MaxBytes), strings.Repeat("x", password.MaxBytes+1), false},
		{"not text", "correct horse battery", "correct horse\xff", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			hash, err := h.Hash(t.Context(), c.set)
			if err != nil {
				t.Fatal(err)
			}
			got, err := h.Verify(t.Context(), hash, c.typed, false)
			if err != nil || got != c.want {
				t.Fatalf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestTheStoredFormIsPHC(t *testing.T) {
	h := password.New(password.Config{})
	a, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(a), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the costs are not those promised: %s", a)
	}
	b, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil || string(a) == string(b) {
		t.Errorf("two hashes of one password are alike: no salt (%v)", err)
	}
}

func TestUnfitPasswordsAreRefused(t *testing.T) {
	for code, pw := range map[string]string{
		"password-too-short": "seven77",
		"password-too-long":  strings.Repeat("x", password.MaxBytes+1),
		"password-not-text":  "eight eight\xff",
	} {
		_, err := cheap().Hash(t.Context(), pw)
		if e := errs.As(err); e == nil || e.Code != code || e.Kind != errs.Invalid {
			t.Errorf("want %s, got %v", code, err)
		}
	}
}

// An unknown account must not match anything, least of all the decoy.
func TestTheDecoyNeverMatches(t *testing.T) {
	for _, pw := range []string{"", "x", strings.Repeat("\x00", 32)} {
		ok, err := cheap().Verify(t.Context(), nil, pw, false)
		if ok || err != nil {
			t.Errorf("%q: %v, %v", pw, ok, err)
		}
	}
}

func TestADamagedHashIsAFault(t *testing.T) {
	good, err := cheap().Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"plain text", "$argon2d$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		strings.Replace(string(good), "m=64", "m=999999999", 1),
		strings.Replace(string(good), "t=1", "t=0", 1),
		strings.Replace(string(good), "p=1", "p=1,x=2", 1),
		strings.Replace(string(good), "v=19", "v=16", 1),
		string(good) + "=", string(good) + "$",
	} {
		if _, err := cheap().Verify(t.Context(), []byte(bad), "x", false); !errs.Is(err, errs.Internal) {
			t.Errorf("%s: want a fault, got %v", bad, err)
		}
	}
}

func FuzzStoredHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	h := password.New(password.Config{MemoryKiB: 64, Passes: 1, Slots: 1})
	f.Fuzz(func(t *testing.T, hash string) {
		if len(hash) > 200 || strings.Contains(hash, "m=") && !strings.Contains(hash, "m=64,t=1,p=1") {
			return
		}
		if ok, err := h.Verify(t.Context(), []byte(hash), "pw", false); ok && err != nil {
			t.Fatalf("both right and faulty: %q", hash)
		}
	})
}
