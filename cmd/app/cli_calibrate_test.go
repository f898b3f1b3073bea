package app_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
)

// AS-02: a hash that costs too little, or too much for a machine, is refused at the
// start; what is measured is printed as settings.
func TestAPasswordCostsEnough(t *testing.T) {
	for want, c := range map[string]app.PasswordConfig{
		"passwords.memory":  {Memory: 6, Passes: 9},
		"passwords.passes":  {Memory: 18, Passes: 2},
		"passwords.at_once": {Memory: 200, Passes: 2, AtOnce: 6},
		"":                  {Memory: 46, Passes: 1, AtOnce: 4},
	} {
		cfg := app.Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Dev: true, Passwords: c}
		err := cfg.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	code, out, _ := cli(t, "passwords", "calibrate", "--memory", "7", "--target", "1ns")
	if code != 0 || !strings.Contains(out, "memory = 7\npasses = 5\n") || !strings.Contains(out, "the last of 500 log-ins at once waits about") {
		t.Errorf("%d: %s", code, out)
	}
	refused(t, "--memory is between 7 and 256 MiB", "passwords", "calibrate", "--memory", "3")
}
