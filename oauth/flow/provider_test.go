package flow_test

import (
	"context"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
)

const idp = "https://idp.example"

// one trusts one provider.
type one struct{}

func (one) Trusted(_ context.Context, provider string) error {
	if provider != idp {
		return errs.New(errs.InvalidIDP, "idp-not-trusted", "It is not trusted.")
	}
	return nil
}

// UDP-32, UDP-33, AZ-14: idp counts with the scope udap and from a client of a
// trust community alone.
func TestProviderOfARequest(t *testing.T) {
	for _, c := range []struct {
		name    string
		member  bool
		none    bool
		changes []string
		want    string
		code    string
	}{
		{"trusted", true, false, []string{"scope", "udap openid launch/patient", "idp", idp}, idp, ""},
		{"not trusted", true, false, []string{"scope", "udap openid launch/patient", "idp", "https://other.example"}, "", "idp-not-trusted"},
		{"none is trusted", true, true, []string{"scope", "udap openid launch/patient", "idp", idp}, "", "idp-not-trusted"},
		{"without the scope", true, false, []string{"idp", idp}, "", ""},
		{"of another client", false, false, []string{"scope", "udap openid launch/patient", "idp", "https://other.example"}, "", ""},
	} {
		w := newWorld(t)
		if !c.none {
			w.service.Providers = one{}
		}
		if c.member {
			diary := w.clients["diary"]
			diary.UDAP = &oauth.UDAP{Community: "https://community.example"}
			w.clients["diary"] = diary
		}
		p, err := w.service.Start(t.Context(), tenant, request(c.changes...), w.rosa())
		if c.code != "" {
			refusal(t, err, c.code)
			continue
		}
		if err != nil || p.Request.IDP != c.want {
			t.Errorf("%s: %v, %q", c.name, err, p.Request.IDP)
		}
	}
}

// UDP-35: who is signed in already need not be whom the provider will name, so
// the log-in must come after the request; consent is asked for in any case.
func TestProviderLogsInAnew(t *testing.T) {
	w := newWorld(t)
	w.service.Providers = one{}
	diary := w.clients["diary"]
	diary.UDAP = &oauth.UDAP{Community: "https://community.example"}
	w.clients["diary"] = diary
	rosa := w.rosa()
	rosa.Session.AuthTime = start.Add(-time.Minute)
	p, err := w.service.Start(t.Context(), tenant, request("scope", "udap openid launch/patient patient/Observation.rs", "idp", idp), rosa)
	if err != nil {
		t.Fatal(err)
	}
	if step, _, err := w.service.Next(t.Context(), p, rosa); err != nil || step != flow.StepSignIn {
		t.Errorf("before: %s, %v", step, err)
	}
	rosa.Session.AuthTime = start.Add(time.Second)
	if step, _, err := w.service.Next(t.Context(), p, rosa); err != nil || step == flow.StepSignIn {
		t.Errorf("after: %s, %v", step, err)
	}
}
