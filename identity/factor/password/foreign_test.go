package password_test

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"github.com/mandate-health/mandate/identity/factor/password"
)

// The stored passwords of other systems let their people in, and are then replaced;
// nothing that is broken, or that costs too much, is read.
func TestPasswordsOfOtherSystems(t *testing.T) {
	h := password.New(password.Config{MemoryKiB: 64, Passes: 1})
	b, err := bcrypt.GenerateFromPassword([]byte("lächeln im Regen"), 4)
	if err != nil {
		t.Fatal(err)
	}
	key, err := scrypt.Key([]byte("lächeln im Regen"), []byte("saltsaltsaltsalt"), 16, 8, 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	raw := base64.RawStdEncoding
	sum := sha1.Sum([]byte("lächeln im Regen" + "salt"))
	for name, c := range map[string][2]string{
		"bcrypt":     {string(b), "lächeln im Regen"},
		"bcrypt 2y":  {"$2y$" + string(b[4:]), "lächeln im Regen"},
		"django":     {"pbkdf2_sha256$10$seasalt$" + djangoKey, "password"},
		"passlib":    {"$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44", "password"},
		"scrypt":     {"$scrypt$ln=4,r=8,p=1$" + raw.EncodeToString([]byte("saltsaltsaltsalt")) + "$" + raw.EncodeToString(key), "lächeln im Regen"},
		"ssha":       {"{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], "salt"...)), "lächeln im Regen"},
		"argon2i":    {"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8", "password"},
		"old figure": {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
	} {
		if !password.Known(c[0]) {
			t.Errorf("%s is not known", name)
			continue
		}
		for typed, want := range map[string]bool{c[1]: true, c[1] + "x": false, "": false, strings.Repeat("x", 2000): false} {
			if got, err := h.Verify(t.Context(), []byte(c[0]), typed, false); err != nil || got != want {
				t.Errorf("%s with %.20q: %v %v", name, typed, got, err)
			}
		}
		if !h.Stale([]byte(c[0])) {
			t.Errorf("%s would stay", name)
		}
	}
	fresh, err := h.Rehash(t.Context(), "short")
	if err != nil || h.Stale(fresh) {
		t.Error("its own hash is stale", err)
	}
	for _, bad := range []string{
		"", "plain", "$2b$31$" + string(b[7:]), "$2b$04$short", "pbkdf2_md5$10$salt$" + djangoKey, "pbkdf2_sha256$9999999999$salt$" + djangoKey,
		"pbkdf2_sha256$0$salt$" + djangoKey, "$pbkdf2-sha256$10$$", "$scrypt$ln=30,r=8,p=1$c2FsdA$" + raw.EncodeToString(key),
		"$scrypt$ln=63,r=9999999,p=1$c2FsdA$" + raw.EncodeToString(key), "{SSHA}", "{SSHA}AAAA", "{MD5}AAAA", "{CRYPT}$1$x",
		"$argon2i$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
	} {
		if password.Known(bad) {
			t.Errorf("%s is taken", bad)
		}
	}
}

// djangoKey is made by another implementation, of "password" and "seasalt" in ten rounds.
const djangoKey = "5rmNRFiRuUP33Ej2pkHvsHJP9Yky6yHqLYGPG7nFNEE="
