package pkcs11_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys/pkcs11"
)

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// RFC 7512: a token is named by its label or its slot, with special characters
// escaped.
func TestPlaces(t *testing.T) {
	got, err := pkcs11.ParsePlace("token=Hospital%20HSM;object=mandate-2?module-path=/usr/lib/hsm.so&pin-source=file:/run/pin")
	want := pkcs11.Config{Module: "/usr/lib/hsm.so", Token: "Hospital HSM", Object: "mandate-2", PINFile: "/run/pin"}
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	got, err = pkcs11.ParsePlace("slot-id=7?module-path=/usr/lib/hsm.so")
	want = pkcs11.Config{Module: "/usr/lib/hsm.so", Slot: 7, Object: "mandate"}
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
}

// SE-04: a place that says too little or too much is refused, and a PIN on the
// command line is, without being repeated.
func TestPlacesThatAreRefused(t *testing.T) {
	for place, why := range map[string]string{
		"":                                        "NAME=VALUE",
		"token=a":                                 "module-path",
		"token=a?module-path=hsm.so":              "module-path",
		"?module-path=/hsm.so":                    "NAME=VALUE",
		"object=o?module-path=/hsm.so":            "token or slot-id",
		"token=a;slot-id=1?module-path=/h":        "token or slot-id",
		"slot-id=x?module-path=/h":                "is a number",
		"token=a;token=b?module-path=/h":          "token is given twice",
		"token=a;object=a%20b?module-path=/h":     "object takes",
		"token=%zz?module-path=/h":                "two digits",
		"token=a;serial=1?module-path=/h":         "only",
		"token=a?module-path=/h&pin-source=p":     "pin-source",
		"token=a?module-path=/h&pin-value=271828": "seen by everybody",
	} {
		_, err := pkcs11.ParsePlace(place)
		wantCode(t, err, "pkcs11-place")
		if text := errs.As(err).Msg; !strings.Contains(text, why) || strings.Contains(text, "271828") {
			t.Errorf("%q: %s", place, text)
		}
	}
}
