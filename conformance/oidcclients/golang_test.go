package oidcclients_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// TestGoClients: golang.org/x/oauth2 walks the code flow and refreshes on its
// own, go-oidc checks the id_token.
func TestGoClients(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := open(ctx, t)
	ctx = context.WithValue(ctx, oauth2.HTTPClient, w.target.HTTP)
	provider, err := oidc.NewProvider(ctx, w.target.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	for name, client := range map[string]oauth2.Config{
		"a public client":                      {ClientID: "oidc-public"},
		"a client with a secret in the header": {ClientID: "oidc-secret", ClientSecret: w.secret, Endpoint: oauth2.Endpoint{AuthStyle: oauth2.AuthStyleInHeader}},
		"a client with a secret in the form":   {ClientID: "oidc-secret", ClientSecret: w.secret, Endpoint: oauth2.Endpoint{AuthStyle: oauth2.AuthStyleInParams}},
		"a client that finds out how":          {ClientID: "oidc-secret", ClientSecret: w.secret},
	} {
		t.Run(name, func(t *testing.T) {
			style := client.Endpoint.AuthStyle
			client.Endpoint, client.RedirectURL = provider.Endpoint(), redirect
			client.Endpoint.AuthStyle = style
			client.Scopes = []string{oidc.ScopeOpenID, "fhirUser", "launch/patient", "offline_access", "patient/Patient.rs"}
			w.goVisit(ctx, t, provider, client)
		})
	}
}

// goVisit signs in, checks the id_token, reads, and lets the library refresh.
func (w *world) goVisit(ctx context.Context, t *testing.T, provider *oidc.Provider, client oauth2.Config) {
	t.Helper()
	verifier, state, nonce := oauth2.GenerateVerifier(), w.target.Random(), w.target.Random()
	back, err := w.visit(ctx, client.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce), oauth2.SetAuthURLParam("aud", w.target.FHIRBase)))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := url.Parse(back)
	if err != nil || answer.Query().Get("state") != state {
		t.Fatal(back, err)
	}
	token, err := client.Exchange(ctx, answer.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := provider.Verifier(&oidc.Config{ClientID: client.ClientID}).Verify(ctx, raw)
	if err != nil || verified.Nonce != nonce {
		t.Fatalf("the id_token with nonce %v: %v", verified, err)
	}
	if verified.AccessTokenHash != "" {
		if err := verified.VerifyAccessToken(token.AccessToken); err != nil {
			t.Error(err)
		}
	}
	var claims struct {
		FHIRUser string `json:"fhirUser"`
	}
	if err := verified.Claims(&claims); err != nil || !strings.HasSuffix(claims.FHIRUser, "Patient/rosa") || token.Extra("patient") != "rosa" {
		t.Errorf("%+v, patient %v: %v", claims, token.Extra("patient"), err)
	}
	w.goRead(ctx, t, client, token)
	// A token that has run out makes the library refresh before it reads.
	stale := *token
	stale.Expiry = w.target.Now().Add(-time.Minute)
	next := w.goRead(ctx, t, client, &stale)
	if next.AccessToken == token.AccessToken || next.RefreshToken == token.RefreshToken || next.RefreshToken == "" {
		t.Error("the library did not refresh")
	}
	_, err = client.Exchange(ctx, "no-code", oauth2.VerifierOption(verifier))
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" || refused.ErrorDescription == "" || refused.ErrorURI == "" {
		t.Errorf("a code that nobody gave: %v", err)
	}
}

// goRead reads the Patient by the library's own HTTP client, and gives the
// token that it used.
func (w *world) goRead(ctx context.Context, t *testing.T, client oauth2.Config, token *oauth2.Token) *oauth2.Token {
	t.Helper()
	source := client.TokenSource(ctx, token)
	used, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.target.FHIRBase+"/Patient/rosa", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := oauth2.NewClient(ctx, oauth2.ReuseTokenSource(used, source)).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var patient struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(res.Body).Decode(&patient); err != nil || patient.ID != "rosa" {
		t.Errorf("%s: %v %v", res.Status, patient, err)
	}
	return used
}
