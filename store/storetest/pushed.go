package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

func pushed() oauth.Pushed {
	return oauth.Pushed{Tenant: tenant, Hash: "q1", ClientID: "app", Created: noon(), Expires: noon().Add(time.Minute),
		Request: oauth.AuthorizeRequest{ClientID: "app", RedirectURI: "https://app.example/cb", Scope: "launch/patient patient/*.rs",
			State: "<s>&é", Launch: "l1", LoginHint: "rosa", MaxAge: -1, Prompt: []string{"login"}, ACR: []string{"x"}}}
}

// RFC 9126 §4: a pushed request is used once, and only at its own tenant.
func pushedRequests(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.PushedByHash(ctx, tenant, "q1")
	fails(t, err, errs.NotFound)
	equal(t, got(s.UsePushed(ctx, tenant, "q1", noon()))(t), false)
	must(t, s.CreatePushed(ctx, pushed()))
	fails(t, s.CreatePushed(ctx, pushed()), errs.Conflict)
	equal(t, got(s.PushedByHash(ctx, tenant, "q1"))(t), pushed())
	equal(t, got(s.UsePushed(ctx, other, "q1", noon()))(t), false)
	equal(t, got(s.UsePushed(ctx, tenant, "q1", noon()))(t), true)
	equal(t, got(s.UsePushed(ctx, tenant, "q1", noon()))(t), false)
	equal(t, got(s.PushedByHash(ctx, tenant, "q1"))(t).Used, noon())
}
