package conformance_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// allocated gives the bytes that a server has allocated since it was started.
func allocated(t *testing.T, target *kit.Target) uint64 {
	t.Helper()
	res, err := target.Do(t.Context(), kit.Request{URL: target.Issuer + "/dev/profile/counts"})
	if err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Bytes uint64 `json:"bytes"`
	}
	if err := json.Unmarshal(res.Body, &seen); err != nil {
		t.Fatal(err)
	}
	return seen.Bytes
}

// bomb is a request that looks as if it were dear to refuse.
type bomb struct {
	media, body string
	header      http.Header
}

func bombs() map[string]bomb {
	const form, object = "application/x-www-form-urlencoded", "application/json"
	header := func(name, value string) bomb { return bomb{form, "a=b", http.Header{name: {value}}} }
	return map[string]bomb{
		"an endless parameter": {media: form, body: "grant_type=refresh_token&token=" + strings.Repeat("x", 8<<20)},
		"many parameters":      {media: form, body: strings.Repeat("a=1&", 1<<20)},
		"repeated parameters":  {media: form, body: strings.Repeat("token=1&", 1<<10)},
		"only escapes":         {media: form, body: "token=" + strings.Repeat("%41", 10<<10)},
		"deep JSON":            {media: object, body: strings.Repeat(`{"a":`, 100000) + "1" + strings.Repeat("}", 100000)},
		"a long list":          {media: object, body: "[" + strings.Repeat("1,", 4<<20) + "1]"},
		"a long number":        {media: object, body: `{"default_max_age":` + strings.Repeat("9", 1<<20) + "}"},
		"a long Basic":         header("Authorization", "Basic "+strings.Repeat("QUFB", 10<<10)),
		"a long Bearer":        header("Authorization", "Bearer "+strings.Repeat("x", 60<<10)),
		"a Bearer of dots":     header("Authorization", "Bearer "+strings.Repeat(".", 60<<10)),
		"a long DPoP proof":    header("Dpop", strings.Repeat("x", 60<<10)),
		"many cookies":         header("Cookie", strings.Repeat("a=b; ", 10<<10)),
		"many media types":     header("Accept", strings.Repeat("a/b;q=0.1,", 5<<10)),
		"many etags":           header("If-None-Match", strings.Repeat(`"a",`, 10<<10)),
		"many languages":       header("Accept-Language", strings.Repeat("de;q=0.1,", 6<<10)),
	}
}

// A hostile request costs the server about what a short refused one does, however
// much was sent and however deep it is.
func TestHostileInputCostsLittle(t *testing.T) {
	target := another(t, "cost", "--registration", "approval").open(t)
	// cost gives the bytes that are allocated for one request. What the server does
	// by itself meanwhile counts too, so the best of some rounds is taken, of more
	// when it is not good enough.
	cost := func(at string, b bomb, enough uint64) uint64 {
		const requests, least, rounds = 5, 3, 30
		best := uint64(1 << 62)
		for n := 0; n < least || best > enough && n < rounds; n++ {
			before := allocated(t, target)
			for range requests {
				// The connection may be closed while the rest is still on its way.
				_, _ = target.Do(t.Context(), kit.Request{Method: http.MethodPost, URL: at, Type: b.media, Body: strings.NewReader(b.body), Header: b.header})
			}
			best = min(best, (allocated(t, target)-before)/requests)
		}
		return best
	}
	// most is what a request may cost more than a short one: net/http alone takes
	// some 300 kB to read the longest header that it accepts.
	const most = 600 << 10
	addresses := []string{
		target.Config.Token, target.Config.Introspect, target.Config.Revoke, target.Config.Push, target.Config.Authorize, target.Config.Registration,
		target.LaunchAPI.URL, target.Issuer + "/device_authorization", target.Issuer + "/login", target.FHIRBase + "/Observation", target.FHIRBase + "/$export",
	}
	for _, at := range addresses {
		short := cost(at, bomb{media: "application/x-www-form-urlencoded", body: "a=b"}, most)
		for name, b := range bombs() {
			if got := cost(at, b, short+most); got > short+most {
				t.Errorf("%s, %s: %d bytes for a request, %d for a short one", at, name, got, short)
			}
		}
	}
}
