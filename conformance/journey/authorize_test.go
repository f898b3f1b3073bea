package journey

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
)

const (
	verifier = "a-code-verifier-of-the-journey-that-is-long-enough"
	state    = "state-of-the-journey"
)

// authorize gives the address that the demonstration app would send a browser
// to, without its script.
func (w *world) authorize(scope string) string {
	sum := sha256.Sum256([]byte(verifier))
	return w.ready.Issuer + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"demo-app"}, "redirect_uri": {w.callback()}, "scope": {scope},
		"state": {state}, "aud": {w.ready.FHIRBase}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Encode()
}

func (w *world) callback() string { return strings.TrimSuffix(w.ready.DemoApp, "/") + "/callback" }

// everything is what the app's first preset asks for.
const everything = "launch/patient openid fhirUser offline_access patient/*.rs"
