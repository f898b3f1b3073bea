package oauth_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
)

// RFC 8628 §6.1: codes are consonants, no two letters look alike, and how they are
// typed does not matter.
func TestUserCodes(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		code := oauth.NewUserCode(ids.Source{})
		if len(code) != 8 || strings.Trim(code, "BCDFGHJKLMNPQRSTVWXZ") != "" || seen[code] {
			t.Fatal(code)
		}
		seen[code] = true
		if oauth.ReadUserCode(oauth.ShowUserCode(code)) != code {
			t.Error(code)
		}
	}
	for typed, want := range map[string]string{
		"WDJB-MJHT": "WDJBMJHT", "wdjb mjht": "WDJBMJHT", " wdjbmjht\t": "WDJBMJHT", "w.d_j–b—mjht": "WDJBMJHT", "WDJB\u00a0MJHT": "WDJBMJHT",
		"": "", "WDJB-MJH": "", "WDJB-MJHTX": "", "WDJB-MJHA": "", "WDJB-MJH1": "", strings.Repeat("-", 65) + "WDJBMJHT": "", "ＷDJBMJHT": "",
	} {
		if got := oauth.ReadUserCode(typed); got != want {
			t.Errorf("%q: %q", typed, got)
		}
	}
}
