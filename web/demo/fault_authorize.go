package demo

import (
	"context"
	"net/http"
	"net/url"
	"slices"
)

func setTo(name, value string) func(url.Values) {
	return func(v url.Values) { v.Set(name, value) }
}

func without(name string) func(url.Values) { return func(v url.Values) { v.Del(name) } }

// page expects an error page and never a redirect.
func page(source string) expectation {
	return expectation{Words: "an error page with a 4xx status, never a redirect", Source: source, Page: true}
}

// toApp expects one of the errors at the app's redirect URI.
func toApp(source string, errors ...string) expectation {
	return expectation{Words: "a redirect to the app with error=" + errors[0] + " and no code", Source: source, Status: []int{http.StatusFound, http.StatusSeeOther}, Errors: errors, Redirect: true}
}

func authorizeFaults() []fault {
	const invalid = "invalid_request"
	return []fault{
		{ID: "unknown-client", Title: "An unknown app", Expect: page("SMART AZ-05, RFC 6749 §4.1.2.1"), change: setTo("client_id", "nobody-knows-this-app")},
		{ID: "unregistered-redirect", Title: "A redirect URI that is not registered", Expect: page("SMART AZ-04, AZ-05"), change: setTo("redirect_uri", "https://elsewhere.example/callback")},
		{ID: "missing-aud", Title: "No aud", Expect: toApp("SMART AZ-08", invalid), change: without("aud")},
		{ID: "foreign-aud", Title: "The aud of another server", Expect: toApp("SMART AZ-07", invalid), change: setTo("aud", "https://elsewhere.example/fhir")},
		{ID: "missing-state", Title: "No state", Expect: toApp("SMART AZ-11", invalid), change: without("state")},
		{ID: "response-type", Title: "A token asked for instead of a code", Expect: toApp("SMART AZ-13, RFC 6749 §4.1.2.1", "unsupported_response_type"), change: setTo("response_type", "token")},
		{ID: "plain-pkce", Title: "PKCE with the method plain", Expect: toApp("SMART PKCE-01", invalid), change: setTo("code_challenge_method", "plain")},
		{ID: "missing-pkce", Title: "No PKCE", Expect: toApp("SMART PKCE-04", invalid), change: func(v url.Values) {
			v.Del("code_challenge")
			v.Del("code_challenge_method")
		}},
		{ID: "repeated-parameter", Title: "The scope given twice", Expect: toApp("SMART AZ-14", invalid), change: func(v url.Values) { v.Add("scope", "patient/Patient.r") }},
		{
			ID: "unknown-scope", Title: "Only scopes that nobody knows", Expect: toApp("SMART SCP-26, RFC 6749 §4.1.2.1", "invalid_scope", "access_denied"),
			Explain: "Mandate drops what it does not know. That nothing is left shows after signing in.",
			signIn:  true,
			change: func(v url.Values) {
				v.Set("scope", "patient/Nonsense.rs read-the-stars")
				v.Set("state", faultState+"unknown-scope")
			},
		},
	}
}

func launchFaults() []fault {
	invalid := func(source string) expectation { return toApp(source, "invalid_request", "access_denied") }
	return []fault{
		{ID: "launch-replay", Title: "The same handle used twice", Expect: invalid("SMART LAU-02"), run: runLaunchReplay},
		{ID: "launch-swap", Title: "A handle made for another app", Expect: invalid("SMART LAU-02"), run: runLaunchSwap},
		{ID: "launch-unknown", Title: "A handle that nobody gave out", Expect: invalid("SMART LAU-03"), change: withLaunch("not-a-handle")},
		{
			ID: "launch-expired", Title: "A handle that is too old", Expect: invalid("SMART LAU-02"), Wants: &want{Label: "Handle that has expired"},
			Explain: "Get a handle with “Show the link only” on a patient’s page. Wait until it has expired, or move Mandate’s clock by POST {\"advance\":\"10m\"} to the clock address in the ready file. Then paste the handle here.",
			run: func(ctx context.Context, s *server, in input) exchange {
				return s.call(ctx, http.MethodGet, s.authorizeURL(in.smart, withLaunch(in.Value)), "", "", nil)
			},
		},
	}
}

// withLaunch turns the request into that of an EHR launch.
func withLaunch(handle string) func(url.Values) {
	return func(v url.Values) {
		v.Set("launch", handle)
		v.Set("scope", ehrScope)
	}
}

// registerAny registers a launch of an app for the first patient.
func (s *server) registerAny(ctx context.Context, clientID string) (ticket, exchange) {
	reg := registration{ClientID: clientID}
	if all, err := s.cfg.Patients(ctx); err == nil && len(all) > 0 {
		reg.Patient = all[0].ID
	}
	return s.register(ctx, reg)
}

func runLaunchReplay(ctx context.Context, s *server, in input) exchange {
	t, x := s.registerAny(ctx, s.cfg.AppClientID)
	if t.Launch == "" {
		return x
	}
	to := s.authorizeURL(in.smart, withLaunch(t.Launch))
	if first := s.call(ctx, http.MethodGet, to, "", "", nil); first.Status >= 400 || first.Status == 0 {
		return first
	}
	return s.call(ctx, http.MethodGet, to, "", "", nil)
}

func runLaunchSwap(ctx context.Context, s *server, in input) exchange {
	i := slices.IndexFunc(s.cfg.Apps, func(a App) bool { return a.ClientID != s.cfg.AppClientID })
	if i < 0 {
		return exchange{Method: http.MethodGet, URL: in.smart.Authorize, Body: "There is no second app to swap with."}
	}
	t, x := s.registerAny(ctx, s.cfg.Apps[i].ClientID)
	if t.Launch == "" {
		return x
	}
	return s.call(ctx, http.MethodGet, s.authorizeURL(in.smart, withLaunch(t.Launch)), "", "", nil)
}
