package conformance_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/broken"
	"github.com/mandate-health/mandate/conformance/kit"
)

// witnesses are quick checks of every part of the suite. A fault must not turn
// those red that have nothing to do with it.
var witnesses = []string{
	"SMART DISC-01", "SMART DISC-05", "SMART DISC-07", "SMART OID-03", "SMART OID-10", "SMART CORS-01", "SMART US-05", "SMART AZ-01", "SMART AZ-07",
	"SMART AZ-10", "SMART AZ-12", "SMART PKCE-04", "SMART TOK-05", "SMART TOK-09", "SMART CTX-01", "SMART OID-09", "SMART REF-05", "SMART SYM-03",
	"SMART ASY-02", "SMART ASY-07", "SMART BKS-03", "SMART LAU-03", "SMART CAP-10", "SMART SCP-32", "SMART M-01", "SMART TRP-09", "MANDATE SE-13", "SMART INT-02", "SMART INT-07", "SMART REV-02", "SMART M-05", "SMART TRP-01", "SMART TRP-17", "SMART US-24",
}

// turns is how many faults share the witnesses: each is asked at every third.
const turns = 3

// brokenServer starts a good server behind a proxy that can break it, and that
// asks clients for certificates at a listener of its own.
func brokenServer(t *testing.T) (*server, *broken.Proxy) {
	t.Helper()
	open := func() (net.Listener, string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return l, "localhost:" + port
	}
	l, public := open()
	secure, private := open()
	behind := freeAddress(t)
	proxy := broken.Serve(l, behind)
	t.Cleanup(func() { _ = proxy.Close() })
	authority, err := proxy.Secure(secure)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startFull("faults", "--listen", behind, "--public-url", "http://"+public,
		"--mtls-public-url", "https://"+private, "--client-cert-proxy", "127.0.0.0/8", "--client-cert-proxy", "::1/128")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(t) })
	s.ca = filepath.Join(t.TempDir(), "proxy-ca.pem")
	if err := os.WriteFile(s.ca, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	ready, err := kit.ReadReady(s.Ready())
	if err != nil {
		t.Fatal(err)
	}
	proxy.Know(ready)
	return s, proxy
}

// TestFaultsTurnRowsRed: rows that cannot fail are worth nothing. Each fault
// must be noticed by each of its rows, which pass without it, and by no row that
// has nothing to do with it.
func TestFaultsTurnRowsRed(t *testing.T) {
	s, proxy := brokenServer(t)
	faults := proxy.Faults()
	if len(faults) < 50 {
		t.Errorf("only %d faults", len(faults))
	}
	passed := map[string]bool{}
	for i, f := range faults {
		t.Run(f.Name, func(t *testing.T) {
			good := s.open(t)
			for _, row := range rowsByID(t, f.Rows...) {
				if !passed[row.ID] {
					must(t, good, row)
					passed[row.ID] = true
				}
			}
			proxy.Break(&f)
			defer proxy.Break(nil)
			target := s.open(t)
			for _, row := range rowsByID(t, f.Rows...) {
				if x := conformance.RunRow(t.Context(), target, row); x.Status != conformance.Fail {
					t.Errorf("%s: %s although %s", row.ID, x.Status, f.Name)
				}
				target.Forget()
			}
			var strange []string
			for _, row := range bystanders(t, i, f) {
				if x := conformance.RunRow(t.Context(), target, row); x.Status == conformance.Fail {
					strange = append(strange, row.ID)
					t.Logf("%s: %s", row.ID, x.Detail)
				}
				target.Forget()
			}
			if len(strange) > 0 {
				t.Errorf("%s turns red, too: %s", f.Name, strings.Join(strange, ", "))
			}
		})
	}
}

// bystanders gives the witnesses whose turn it is and that a fault must leave
// green.
func bystanders(t *testing.T, turn int, f broken.Fault) []kit.Row {
	t.Helper()
	var ids []string
	for i, id := range witnesses {
		if i%turns == turn%turns && !slices.Contains(f.Rows, id) && !slices.Contains(f.Also, id) {
			ids = append(ids, id)
		}
	}
	return rowsByID(t, ids...)
}
