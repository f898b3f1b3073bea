package totp_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// rfcSecret is the key of RFC 6238 appendix B, "12345678901234567890".
const rfcSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// The last six digits of the vectors of RFC 6238 appendix B.
func TestPublishedVectors(t *testing.T) {
	for unix, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471",
		1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		got, err := totp.Code(rfcSecret, unix/30)
		if err != nil || got != want {
			t.Errorf("at %d: got %s, %v; want %s", unix, got, err, want)
		}
		step, ok, err := totp.Codes{}.Check([]byte(rfcSecret), want, time.Unix(unix, 0))
		if !ok || err != nil || step != unix/30 {
			t.Errorf("at %d: the right code is refused (%d, %v)", unix, step, err)
		}
	}
}

func TestOneStepOfClockDifference(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for diff, want := range map[int64]bool{-2: false, -1: true, 0: true, 1: true, 2: false} {
		code, err := totp.Code(rfcSecret, now.Unix()/30+diff)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := (totp.Codes{}).Check([]byte(rfcSecret), code, now); ok != want || err != nil {
			t.Errorf("%+d steps: got %v, %v; want %v", diff, ok, err, want)
		}
	}
}

func TestWhatPeopleType(t *testing.T) {
	now := time.Unix(59, 0)
	for code, want := range map[string]bool{
		"287082": true, "287 082": true, " 287082 ": true,
		"": false, "28708": false, "2870822": false, "２８７０８２": false, "-87082": false,
	} {
		if _, ok, err := (totp.Codes{}).Check([]byte(rfcSecret), code, now); ok != want || err != nil {
			t.Errorf("%q: got %v, %v; want %v", code, ok, err, want)
		}
	}
}

func TestANewSecretWorksInAnApp(t *testing.T) {
	secret := totp.NewSecret(ids.Source{})
	if len(secret) != 32 {
		t.Errorf("want 160 bits, got %d characters", len(secret))
	}
	u, err := url.Parse(totp.URI("Mandate & Co", "rosa maria", secret))
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Mandate & Co:rosa maria" {
		t.Fatalf("%v %v", u, err)
	}
	q := u.Query()
	if q.Get("secret") != secret || q.Get("issuer") != "Mandate & Co" || q.Get("period") != "30" || q.Get("digits") != "6" {
		t.Errorf("%v", q)
	}
	if strings.Contains(u.RawQuery, "+") {
		t.Error("a plus would be shown to the person by some apps")
	}
}

func TestADamagedSecretIsAFault(t *testing.T) {
	if _, ok, err := (totp.Codes{}).Check([]byte("not base32!"), "287082", time.Unix(59, 0)); ok || !errs.Is(err, errs.Internal) {
		t.Errorf("got %v, %v", ok, err)
	}
	if _, _, err := (totp.Codes{}).Check([]byte(rfcSecret), "287082", time.Unix(-90, 0)); !errs.Is(err, errs.Internal) {
		t.Errorf("before 1970: %v", err)
	}
}
