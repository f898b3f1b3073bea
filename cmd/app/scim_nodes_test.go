package app_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// HS-08, D17: somebody whom the directory ends at one node is refused at the other
// within a second.
func TestALeaverIsGoneAtEachNode(t *testing.T) {
	dsn := testpg.Start(t)
	kek := "file:" + filepath.Join(t.TempDir(), "kek.json")
	one := staffed(t, func(c *app.Config) { c.Database, c.Keys = dsn, kek })
	two := start(t, func(c *app.Config) { c.Database, c.Keys = dsn, kek })
	b := two.browser("hale")
	handle := two.handle(t, two.Client("symmetric").ID, map[string]any{"patient": "rosa"})
	g := two.granted(t, kit.Launch{Client: two.Client("symmetric"), Scope: "launch offline_access patient/Patient.rs", Handle: handle, Visit: kit.Visit{Browser: b}})
	two.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)
	_, found := one.list(filter(`userName eq "hale"`))
	if len(found) != 1 {
		t.Fatalf("%+v", found)
	}
	one.scim("PATCH", "/Users/"+found[0].ID, patch(`{"op":"replace","path":"active","value":false}`), http.StatusOK)
	deadline := time.After(time.Second)
	for two.fhir(t, g.Access(), "Patient/rosa").Status != http.StatusUnauthorized {
		select {
		case <-deadline:
			t.Fatal("the other node still answers after a second (D17)")
		case <-time.After(pollEvery):
		}
	}
	two.refreshed(t, g, g.RefreshToken(), http.StatusBadRequest)
	if p, err := b.Open(t.Context(), two.at("/staff"), ""); err == nil && p.Status == http.StatusOK && p.FormWith("password") == nil {
		t.Errorf("the log-in lives on: %s", p.Text())
	}
}
