package app_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// CPA TR-51: everybody knows the passwords of the demonstration, so a store that has
// them is not served but on demand, which is logged.
func TestProductionRefusesTheDemonstration(t *testing.T) {
	dir := t.TempDir()
	s := startIn(t, dir, nil)
	s.stop(t)
	var log lockedBuffer
	serve := func(ctx context.Context, unsafe bool) error {
		return app.Run(ctx, app.Config{
			Listen: "127.0.0.1:0", Data: s.data, PublicURL: "https://ehr.example", Upstream: "http://127.0.0.1:1/fhir",
			KeySettings: app.KeySettings{AcceptFileKeys: true}, DemoAccounts: unsafe, Out: io.Discard, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
	}
	err := serve(t.Context(), false)
	if err == nil || !strings.Contains(err.Error(), "demo-accounts") || !strings.Contains(err.Error(), "--unsafe-demo-accounts") {
		t.Fatalf("served: %v", err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, true) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(log.String(), "msg=serving") {
		select {
		case err := <-ended:
			t.Fatalf("not served: %v\n%s", err, log.String())
		case <-tick.C:
		}
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "unsafe_demo_accounts") {
		t.Error("nobody was warned")
	}
}

// CPA TR-51: what a demonstration issues says so, in the token and of the token.
func TestTokensOfTheDemonstrationSaySo(t *testing.T) {
	s := start(t, nil)
	const demo = "https://mandate.example/fhir/claims/demo"
	g := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "openid fhirUser launch/patient patient/*.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	for _, token := range []string{g.Access(), g.Text("id_token")} {
		if _, body := claims(t, token); body[demo] != true {
			t.Errorf("claims without the mark: %v", body)
		}
	}
	res, err := s.Introspect(t.Context(), s.Client("symmetric"), g.Access())
	if err != nil || !strings.Contains(string(res.Body), `"`+demo+`":true`) {
		t.Errorf("introspection: %v %v", res, err)
	}
}
