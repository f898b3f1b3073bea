package conformance_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// sealed is a client whose access tokens are opaque, and its file.
func sealed(t *testing.T) (c kit.Client, file string) {
	t.Helper()
	c = kit.Client{ID: "sealed", Kind: "public", RedirectURIs: []string{"https://sealed.example/cb"}}
	file = filepath.Join(t.TempDir(), "clients.json")
	text := `[{"client_id":"sealed","kind":"public","redirect_uris":["https://sealed.example/cb"],"access_token_format":"opaque"}]`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, file
}

// D17: what one node revokes another, which has just answered from memory,
// refuses within a second; a signed token or an opaque one (D2).
// CPA TF-05.
func TestRevocationReachesTheOtherNode(t *testing.T) {
	dsn := testpg.Start(t)
	opaque, file := sealed(t)
	p := nodes(t, "reach", dsn, dsn, "--client", file)
	t.Run("signed", func(t *testing.T) { p.reaches(t, 50) })
	p.client = opaque
	t.Run("opaque", func(t *testing.T) { p.reaches(t, 20) })
}

// reaches revokes n access tokens at one node and asks the other.
func (p *pair) reaches(t *testing.T, n int) {
	t.Helper()
	g := p.launch(t)
	refresh := g.RefreshToken()
	var took []time.Duration
	for range n {
		res := p.refresh(t, p.a.Issuer, refresh)
		refresh = res.Text("refresh_token")
		access := res.Text("access_token")
		if status := p.read(t, p.b, access); status != http.StatusOK {
			t.Fatalf("before: %d", status)
		}
		p.revoke(t, access)
		took = append(took, p.until(t, p.b, access, http.StatusUnauthorized, revocationLimit))
	}
	slices.Sort(took)
	p99 := took[len(took)-1]
	t.Logf("refused at the other node after %s (median), %s (99 of 100)", took[len(took)/2], p99)
	if p99 > time.Second {
		t.Errorf("the slowest of %d took %s", len(took), p99)
	}
}
