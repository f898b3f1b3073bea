package register

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/oauth/registration"
)

// Guide tells the makers of apps and services, in public and without any
// condition, how to register (REG-07, 45 CFR 170.404(b)); configuration and openAPI
// are the URLs of the discovery document and of the API's description.
func Guide(d Deps, configuration, openAPI string) http.Handler {
	var how string
	switch d.Registry.Mode {
	case registration.ByToken:
		how = "Ask the organization for an initial access token. Then POST your metadata as JSON (RFC 7591) to\n\n    " +
			d.URL + "\n\nwith the header Authorization: Bearer TOKEN. Your client works at once."
	case registration.ByApproval:
		how = "POST your metadata as JSON (RFC 7591) to\n\n    " + d.URL + "\n\nYour client is registered at once and works when the organization has approved it."
		if d.Registry.AutoPatient {
			how += " An app that asks for patient scopes only works at once."
		}
	default:
		how = "Send the metadata below to the organization, which registers your client for you."
	}
	text := []byte(fmt.Sprintf(guide, configuration, how, openAPI))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(text)
	})
}

// guide is the text; %[1]s is the discovery document, %[2]s how to register,
// %[3]s the description of the API.
var guide = strings.TrimLeft(`
HOW TO REGISTER AN APP OR A SERVICE

Everything that an app needs to know of this server is in its discovery document:

    %[1]s

%[2]s

1. Apps for single patients, and apps for clinicians

    {
      "client_name": "Heart Diary",
      "redirect_uris": ["https://diary.example/callback"],
      "token_endpoint_auth_method": "private_key_jwt",
      "jwks_uri": "https://diary.example/jwks.json",
      "scope": "openid fhirUser launch/patient offline_access patient/*.rs",
      "policy_uri": "https://diary.example/privacy",
      "contacts": ["developers@diary.example"]
    }

token_endpoint_auth_method is none for an app that can keep no secret,
client_secret_basic or client_secret_post for one with a secret, and private_key_jwt
for one with keys (RS384 or ES384; "jwks" or "jwks_uri", public keys with kid only).
Redirect URIs are complete: https, or a loopback address or private scheme of a native
app. For a launch from an EHR add "launch_uris".

2. Services for many patients (SMART Backend Services, Bulk Data)

    {
      "client_name": "Night Export",
      "grant_types": ["client_credentials"],
      "token_endpoint_auth_method": "private_key_jwt",
      "jwks_uri": "https://export.example/jwks.json",
      "scope": "system/*.rs"
    }

3. What then happens

The organization verifies who makes the app within ten business days of the request,
and lets it work within five business days after that, for every app alike
(45 CFR 170.404(b)(1)). The answer to a registration holds client_id, and where you
register yourself also registration_access_token, with which you read (GET), replace
(PUT) and delete your registration at registration_client_uri (RFC 7592). Keys by
value ("jwks") are replaced in the same way when you rotate them: register the new
key beside the old one first. Nobody but you and the organization can change them.

4. For EHRs and operators

How launch contexts are registered and how the server is administered by programs is
described in OpenAPI:

    %[3]s
`, "\n")
