package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/keys/devkeys"
)

// twins are clients that are registered at both tenants with the same id,
// credentials and addresses, so that only the tenant can tell them apart.
type twins struct {
	file                 string
	secret, keys, opaque kit.Client
}

func makeTwins(t *testing.T) twins {
	t.Helper()
	pair, err := devkeys.Make("twin")
	if err != nil {
		t.Fatal(err)
	}
	redirects := []string{"https://twin.example/cb"}
	w := twins{
		file:   filepath.Join(t.TempDir(), "twins.json"),
		secret: kit.Client{ID: "twin", Kind: "symmetric", Secret: "the same secret at both", RedirectURIs: redirects},
		keys:   kit.Client{ID: "twin-keys", Kind: "asymmetric", PrivateJWKS: pair.Private, RedirectURIs: redirects},
		opaque: kit.Client{ID: "twin-opaque", Kind: "symmetric", Secret: "the same secret at both", RedirectURIs: redirects},
	}
	raw, err := json.Marshal([]map[string]any{
		{"client_id": w.secret.ID, "kind": w.secret.Kind, "client_secret": w.secret.Secret, "client_name": "Twin", "redirect_uris": redirects,
			"launch_uris": []string{"https://twin.example/launch"}, "introspect": true, "register_launch": true},
		{"client_id": w.keys.ID, "kind": w.keys.Kind, "jwks": pair.Public, "redirect_uris": redirects},
		{"client_id": w.opaque.ID, "kind": w.opaque.Kind, "client_secret": w.opaque.Secret, "redirect_uris": redirects, "access_token_format": "opaque"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// must runs a command that has to succeed and gives what it printed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errOut := cli(t, args...)
	if code != 0 {
		t.Fatalf("mandate %q: %d %s", args, code, errOut)
	}
	return out
}

const acmePassword = "a passphrase of acme's own"

// furnish adds the tenant acme with a person and the twins.
func furnish(t *testing.T, upstream string, w twins, store ...string) {
	t.Helper()
	must(t, append([]string{"tenant", "add", "acme", "--name", "Acme Hospice", "--organization-ref", "Organization/acme", "--upstream", upstream}, store...)...)
	must(t, append([]string{"client", "add", "--tenant", "acme", w.file}, store...)...)
	code, _, errOut := account(t, acmePassword+"\n", append([]string{
		"--tenant", "acme", "--username", "rosa", "--name", "Rosa of Acme", "--role", "patient", "--identity", "Patient/rosa",
	}, store...)...)
	if code != 0 {
		t.Fatal(errOut)
	}
}

// tenantOf waits until a tenant answers below a server and gives it as a target
// of its own.
func tenantOf(t *testing.T, s *server, id string, w twins) *server {
	t.Helper()
	ready := kit.Ready{
		Issuer: s.Issuer + "/t/" + id, FHIRBase: s.Issuer + "/t/" + id + "/fhir",
		People:  []kit.Person{{Username: "rosa", Password: acmePassword, Role: "patient", Patients: []string{"rosa"}}},
		Clients: []kit.Client{w.secret, w.keys, w.opaque},
	}
	ready.LaunchAPI.URL, ready.LaunchAPI.ClientID = ready.Issuer+"/launch", w.secret.ID
	s.served(t, id, true)
	target, err := kit.NewTarget(t.Context(), ready)
	if err != nil {
		t.Fatal(err)
	}
	return &server{Target: target, out: s.out}
}

// served waits until a tenant is answered for, or is not.
func (s *server) served(t *testing.T, id string, want bool) {
	t.Helper()
	// A change reaches a running process within five seconds.
	deadline := time.After(6 * time.Second)
	for (s.get(t, "/t/"+id+"/.well-known/openid-configuration").Status == http.StatusOK) != want {
		select {
		case <-deadline:
			t.Fatalf("tenant %s: served is not %v after five seconds", id, want)
		case <-time.After(pollEvery):
		}
	}
}

// estate is the process with two tenants that stories share which leave the
// tenants themselves alone.
var estate struct {
	once       sync.Once
	dir        string
	home, acme *server
	w          twins
}

// houses are two tenants of one process: the default one and acme.
func houses(t *testing.T) (home, acme *server, w twins) {
	t.Helper()
	estate.once.Do(func() { buildEstate(t) })
	if estate.acme == nil {
		t.Fatal("the process with two tenants did not start")
	}
	return estate.home, estate.acme, estate.w
}

func buildEstate(t *testing.T) {
	t.Helper()
	var err error
	if estate.dir, err = os.MkdirTemp("", "mandate-tenants-"); err != nil {
		t.Fatal(err)
	}
	w := makeTwins(t)
	furnish(t, openHospital().URL+"/fhir", w, "--data", filepath.Join(estate.dir, "data"))
	home, err := run(estate.dir, func(c *app.Config) { c.ClientFiles = []string{w.file} })
	if err != nil {
		t.Fatal(err)
	}
	estate.home, estate.w = home, w
	acme := tenantOf(t, home, "acme", w)
	acme.AdminAPI = adminOf(t, home.file, "acme").AdminAPI
	estate.acme = acme
}

// adminOf reads from a ready file how another tenant is administered.
func adminOf(t *testing.T, file, id string) kit.Ready {
	t.Helper()
	var ready struct {
		Tenants []struct {
			ID string `json:"id"`
			kit.Ready
		} `json:"tenants"`
	}
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &ready)
	}
	if err != nil || len(ready.Tenants) != 1 || ready.Tenants[0].ID != id {
		t.Fatalf("the ready file tells of %+v: %v", ready.Tenants, err)
	}
	return ready.Tenants[0].Ready
}

const twinScope = "openid fhirUser launch/patient offline_access patient/Patient.rs"

// launched walks a whole authorization code flow with log-in and consent.
func (s *server) launched(t *testing.T, c kit.Client) *kit.Grant {
	t.Helper()
	return s.granted(t, kit.Launch{Client: c, Scope: twinScope, Visit: kit.Visit{Browser: s.browser("rosa")}})
}
