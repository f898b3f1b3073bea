package demo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// faultState begins the state of requests whose answer the simulator takes.
const faultState = "ehr-fault."

// faultVerifier is the PKCE verifier of all faulty requests. It protects
// nothing: the codes are there to be misused.
const faultVerifier = "the-simulator-uses-one-verifier-for-all-its-faults"

// challenge gives the S256 challenge of a verifier (RFC 7636 §4.2).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// expectation is what a specification says about the answer to a fault.
type expectation struct {
	Words, Source string
	// Status lists the allowed HTTP statuses; empty means any below 500.
	Status []int
	// Errors lists the allowed OAuth errors, in the redirect or in JSON.
	Errors []string
	// Redirect wants the error at the app's redirect URI, Page a 4xx without
	// redirect, Outcome an OperationOutcome, Bearer a WWW-Authenticate.
	Redirect, Page, Outcome, Bearer bool
	// Names is a word that the answer must hold, such as the bad element.
	Names string
}

// met compares an answer with the expectation. redirect is the app's address.
func (e expectation) met(x exchange, redirect string) bool {
	switch {
	case x.Status == 0 || x.Status >= 500,
		len(e.Status) > 0 && !slices.Contains(e.Status, x.Status),
		e.Page && (x.Status < 400 || x.Location != ""),
		e.Bearer && !strings.HasPrefix(strings.ToLower(x.Challenge), "bearer"),
		e.Outcome && jsonMember(x.Body, "resourceType") != "OperationOutcome",
		e.Names != "" && !strings.Contains(x.Body, e.Names):
		return false
	case e.Redirect:
		u, err := url.Parse(x.Location)
		return err == nil && strings.HasPrefix(x.Location, redirect+"?") && slices.Contains(e.Errors, u.Query().Get("error")) && !u.Query().Has("code")
	case len(e.Errors) > 0:
		return slices.Contains(e.Errors, jsonMember(x.Body, "error"))
	}
	return true
}

func jsonMember(body, name string) string {
	var members map[string]json.RawMessage
	var value string
	if json.Unmarshal([]byte(body), &members) != nil || json.Unmarshal(members[name], &value) != nil {
		return ""
	}
	return value
}

// want is an input that a person or a program gives to a case.
type want struct {
	Label string
	// Patient asks for the patient's id too.
	Patient bool
}

// input is what a case works with beside the configuration.
type input struct {
	// Value is a pasted access token or launch handle.
	Value   string
	Patient string
	// Code is an authorization code fresh from the redirect.
	Code  string
	smart smartConfiguration
}

// fault is one case of "Make something go wrong".
type fault struct {
	ID, Title, Explain string
	Expect             expectation
	Wants              *want
	// change makes a valid authorization request faulty; nil for others.
	change func(url.Values)
	// signIn: only the answer after signing in tells, so the browser must go;
	// change then sets the state with which the answer comes back here.
	signIn bool
	// trip gives the scopes of the authorization request that fetches the
	// code for the case; empty when it needs none.
	trip string
	run  func(ctx context.Context, s *server, in input) exchange
}

// group is one section of the page.
type group struct {
	Title, Hint string
	faults      []fault
	// trip gives the scopes with which all cases of the group run after one
	// sign-in; id then names the group in the state.
	trip, id string
}

func groups() []group {
	return []group{
		{Title: "When the app asks for access", Hint: "“Run” sends the request from here. “Open in the browser” shows what a person sees.", faults: authorizeFaults()},
		{Title: "When the app is opened from here", Hint: "A launch handle works once, for one app, for a few minutes.", faults: launchFaults()},
		{Title: "When the app exchanges something for a token", Hint: "Cases that need a fresh code send you through sign-in first.", faults: tokenFaults()},
		{Title: "When the app reads the record", Hint: "Cases that need an access token take one here, or all run after one sign-in. Tick there that measurements may be added, too.", faults: fhirFaults(), trip: fhirTrip, id: "fhir"},
	}
}

func findFault(id string) (fault, bool) {
	for _, g := range groups() {
		for _, f := range g.faults {
			if f.ID == id {
				return f, true
			}
		}
	}
	return fault{}, false
}

// outcome is the result of one case.
type outcome struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Expected string   `json:"expected"`
	Source   string   `json:"source"`
	Matched  bool     `json:"matched"`
	Note     string   `json:"note,omitempty"`
	Exchange exchange `json:"exchange"`
}

func (s *server) judge(f fault, x exchange) outcome {
	return outcome{
		ID: f.ID, Title: f.Title, Expected: f.Expect.Words, Source: f.Expect.Source,
		Matched: f.Expect.met(x, s.callbackURL()), Exchange: x.shown(),
	}
}

// runs reports whether the simulator can send the request itself.
func (f fault) runs() bool { return !f.signIn && (f.run != nil || f.change != nil) && f.trip == "" }

// execute runs a case that needs no person in between.
func (s *server) execute(ctx context.Context, f fault, in input) outcome {
	smart, x, ok := s.discover(ctx)
	if !ok {
		return outcome{ID: f.ID, Title: f.Title, Expected: f.Expect.Words, Source: f.Expect.Source, Exchange: x, Note: "Mandate did not say where its endpoints are."}
	}
	in.smart = smart
	if f.change != nil {
		return s.judge(f, s.call(ctx, "GET", s.authorizeURL(smart, f.change), "", "", nil))
	}
	return s.judge(f, f.run(ctx, s, in))
}

// authorizeURL gives a valid authorization request with a change.
func (s *server) authorizeURL(smart smartConfiguration, change func(url.Values)) string {
	v := url.Values{
		"response_type": {"code"}, "client_id": {s.cfg.AppClientID}, "redirect_uri": {s.callbackURL()},
		"scope": {"launch/patient openid fhirUser patient/*.rs"}, "state": {"fault-of-the-simulator"}, "aud": {s.cfg.FHIRBase},
		"code_challenge": {challenge(faultVerifier)}, "code_challenge_method": {"S256"},
	}
	change(v)
	return smart.Authorize + "?" + v.Encode()
}

// tripURL gives the authorization request that fetches a code for a case.
func (s *server) tripURL(smart smartConfiguration, id, scopes string) string {
	return s.authorizeURL(smart, func(v url.Values) {
		v.Set("state", faultState+id)
		v.Set("scope", scopes)
	})
}

// exchangeCode redeems a code with a verifier and redirect URI.
func (s *server) exchangeCode(ctx context.Context, in input, verifier, redirect string) exchange {
	return s.postForm(ctx, in.smart.Token, url.Values{
		"grant_type": {"authorization_code"}, "code": {in.Code}, "client_id": {s.cfg.AppClientID},
		"redirect_uri": {redirect}, "code_verifier": {verifier},
	}, nil)
}
