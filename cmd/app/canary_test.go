package app_test

import (
	"bytes"
	"encoding/hex"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// live plants what a store must not say: people sign in, fail to, consent, are
// launched from an EHR and look; a code and a launch stay unused. It gives the
// planted words.
func (s *server) live(t *testing.T) []string {
	t.Helper()
	// Brands are published, so that not every resource is one to look for.
	words := []string{
		`"resourceType":"Consent"`, `"resourceType":"RelatedPerson"`, `"resourceType":"Basic"`, `"reference":"Patient/`,
		`"provision"`, `"patient-privacy"`, "Alvarez", "canary-name", "+1 555 0199 777", "canary@mail.example", "canary-mrn-4711", "canary-username",
	}
	relation := `{"resourceType":"RelatedPerson","id":"canary","active":true,"patient":{"reference":"Patient/rosa"},"name":[{"family":"canary-name"}],` +
		`"telecom":[{"system":"phone","value":"+1 555 0199 777"},{"system":"email","value":"canary@mail.example"}]}`
	if res := s.put(t, "/related-persons/canary", "", []byte(relation)); res.Status != http.StatusOK {
		t.Fatal(res, string(res.Body))
	}
	b := s.browser("rosa")
	launch := kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Browser: b}}
	g := s.granted(t, launch)
	s.fetch(t, g.Access(), "Patient/rosa", 200)
	s.fetch(t, g.Access(), "Patient?family=canary-name", 200)
	s.refreshed(t, g, g.RefreshToken(), http.StatusOK)
	open, err := s.Code(t.Context(), launch)
	if err != nil {
		t.Fatal(err)
	}
	elena := launch
	elena.Visit = kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}
	s.granted(t, elena)
	identifier := map[string]any{"identifier": map[string]any{"value": "canary-mrn-4711"}, "type": "Patient"}
	ehr := map[string]any{"patient": "rosa", "fhirContext": []any{identifier}}
	told, err := s.EHRLaunch(t.Context(), ehr, kit.Launch{Client: s.Client("symmetric"), Scope: "launch patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("hale")}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(told.Body), "canary-mrn-4711") {
		t.Errorf("the context of the launch is lost: %s", told.Body)
	}
	handle, err := s.RegisterLaunch(t.Context(), map[string]any{"client_id": s.Client("symmetric").ID, "patient": "rosa", "fhirContext": []any{identifier}})
	if err != nil || handle.Text("launch") == "" {
		t.Fatal(handle, err)
	}
	stranger := s.Person("rosa")
	stranger.Username, stranger.Password = "canary-username", "not-the-password"
	if _, err := s.NewBrowser(stranger).SignIn(t.Context(), s.at("/home")); err == nil {
		t.Error("a stranger is signed in")
	}
	page, err := b.Open(t.Context(), s.at("/home"), "")
	if err != nil || !strings.Contains(page.Text(), "Rosa Alvarez") {
		t.Fatal("the page names nobody, so that there is nothing to look for")
	}
	words = append(words, g.Access(), g.RefreshToken(), g.Code, open.Code, handle.Text("launch"), stranger.Password)
	for cookie := range strings.SplitSeq(b.Cookies(s.at("/home")), ";") {
		if _, value, ok := strings.Cut(cookie, "="); ok && len(value) > 16 {
			words = append(words, value)
		}
	}
	for _, p := range s.People {
		words = append(words, p.Password)
		if p.TOTPSecret != "" {
			words = append(words, p.TOTPSecret)
		}
	}
	return words
}

// silent wants none of the words in a text, nor written as hexadecimal.
func silent(t *testing.T, where string, text []byte, words []string) {
	t.Helper()
	for _, w := range words {
		for _, form := range []string{w, hex.EncodeToString([]byte(w))} {
			if at := bytes.Index(text, []byte(form)); at >= 0 {
				t.Errorf("%s holds %q: %q", where, w, text[max(0, at-100):min(len(text), at+len(form)+20)])
			}
		}
	}
}

// filesSilent looks into every file below a folder.
func filesSilent(t *testing.T, dir string, words []string) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		seen += len(content)
		silent(t, filepath.Base(path), content, words)
		return err
	})
	if err != nil || seen < 100<<10 {
		t.Fatal(seen, err)
	}
}

// SE-01: after people signed in, consented and looked, the files of the store,
// the live log of its writes included, hold none of their names, secrets or
// consents.
func TestDiskSaysNothing(t *testing.T) {
	s := start(t, nil)
	words := s.live(t)
	if _, err := os.Stat(filepath.Join(s.data, "mandate.db-wal")); err != nil {
		t.Error(err)
	}
	filesSilent(t, s.data, words)
	s.stop(t)
	filesSilent(t, s.data, words)
}

// SE-01: nor does PostgreSQL, in any column of any table, and not in its files
// with its write-ahead log.
func TestDatabaseSaysNothing(t *testing.T) {
	cluster := testpg.New(t)
	s := start(t, func(c *app.Config) { c.Database = cluster.DSN })
	words := s.live(t)
	sql := func(text string) string {
		t.Helper()
		out, err := cluster.SQL(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	looked := 0
	for table := range strings.FieldsSeq(sql("SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")) {
		text := sql("SELECT x.*::text FROM " + table + " x")
		looked += len(text)
		silent(t, table, []byte(text), words)
	}
	if looked < 10<<10 {
		t.Errorf("the tables hold %d bytes", looked)
	}
	s.stop(t)
	sql("CHECKPOINT")
	filesSilent(t, filepath.Join(cluster.Dir, "data"), words)
}
