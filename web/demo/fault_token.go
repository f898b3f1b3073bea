package demo

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// refused expects an OAuth error in JSON.
func refused(source string, status int, errors ...string) expectation {
	words := map[int]string{http.StatusBadRequest: "400", http.StatusUnauthorized: "401"}[status]
	return expectation{Words: words + " with error=" + strings.Join(errors, " or "), Source: source, Status: []int{status}, Errors: errors}
}

// codeTrip asks for little, because the code is only there to be misused.
const codeTrip = "launch/patient patient/Patient.rs"

func tokenFaults() []fault {
	const grant = "invalid_grant"
	const bad = http.StatusBadRequest
	return []fault{
		{ID: "wrong-code", Title: "A code that nobody gave out", Expect: refused("RFC 6749 §5.2, SMART TOK-14", bad, grant), run: func(ctx context.Context, s *server, in input) exchange {
			in.Code = "not-a-code"
			return s.exchangeCode(ctx, in, faultVerifier, s.callbackURL())
		}},
		{ID: "code-twice", Title: "The same code used twice", Expect: refused("SMART AZ-16", bad, grant), trip: codeTrip, run: func(ctx context.Context, s *server, in input) exchange {
			if first := s.exchangeCode(ctx, in, faultVerifier, s.callbackURL()); !first.ok() {
				return first.failedBefore()
			}
			return s.exchangeCode(ctx, in, faultVerifier, s.callbackURL())
		}},
		{ID: "wrong-verifier", Title: "The wrong code verifier", Expect: refused("SMART PKCE-03", bad, grant), trip: codeTrip, run: func(ctx context.Context, s *server, in input) exchange {
			return s.exchangeCode(ctx, in, strings.Repeat("wrong", 10), s.callbackURL())
		}},
		{ID: "wrong-redirect", Title: "Another redirect URI than before", Expect: refused("SMART TOK-03", bad, grant, "invalid_request"), trip: codeTrip, run: func(ctx context.Context, s *server, in input) exchange {
			return s.exchangeCode(ctx, in, faultVerifier, "http://127.0.0.1/callback")
		}},
		{ID: "garbage-refresh", Title: "A refresh token that nobody gave out", Expect: refused("SMART REF-07", bad, grant), run: func(ctx context.Context, s *server, in input) exchange {
			return s.postForm(ctx, in.smart.Token, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"not-a-token"}, "client_id": {s.cfg.AppClientID}}, nil)
		}},
		{ID: "wrong-secret", Title: "The wrong client secret", Expect: refused("RFC 6749 §5.2, SMART SYM-03", http.StatusUnauthorized, "invalid_client"), run: func(ctx context.Context, s *server, in input) exchange {
			return s.postForm(ctx, in.smart.Token, url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}, map[string]string{
				"Authorization": basic(s.cfg.EHRClientID, "not-the-secret"),
			})
		}},
		{ID: "wrong-assertion", Title: "A client assertion with a false signature", Expect: expectation{
			Words: "401 (or 400) with error=invalid_client", Source: "RFC 7523 §3.2, SMART 1.11", Status: []int{http.StatusUnauthorized, bad}, Errors: []string{"invalid_client"},
		}, run: runWrongAssertion},
		{ID: "password-grant", Title: "A grant type that does not exist here", Expect: refused("RFC 6749 §5.2", bad, "unsupported_grant_type"), run: func(ctx context.Context, s *server, in input) exchange {
			return s.postForm(ctx, in.smart.Token, url.Values{"grant_type": {"password"}, "client_id": {s.cfg.AppClientID}, "username": {"rosa"}, "password": {"rosa"}}, nil)
		}},
	}
}

// failedBefore marks a first step that should have worked: its answer is
// shown, but no expectation is met by it.
func (x exchange) failedBefore() exchange {
	x.Body = "The step before the fault did not work (status " + strconv.Itoa(x.Status) + "): " + x.Body
	x.Status = 0
	return x
}

func runWrongAssertion(ctx context.Context, s *server, in input) exchange {
	now := s.cfg.Now()
	part := func(v map[string]any) string {
		b, _ := json.Marshal(v) // strings and numbers only: cannot fail
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(map[string]any{"alg": "ES384", "typ": "JWT", "kid": "unknown"}) + "." + part(map[string]any{
		"iss": s.cfg.EHRClientID, "sub": s.cfg.EHRClientID, "aud": in.smart.Token, "jti": challenge(now.Format(time.RFC3339Nano)),
		"exp": now.Add(4 * time.Minute).Unix(),
	})
	return s.postForm(ctx, in.smart.Token, url.Values{
		"grant_type": {"client_credentials"}, "scope": {"system/*.rs"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {signed + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 96))},
	}, nil)
}
