package conformance_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// keeper is a server with backups, a revocation journal and their keys.
type keeper struct {
	dir, writer, reader, backups, journal, kek string
	server                                     *server
}

// command runs the binary and gives its status and what it said.
func command(t *testing.T, args ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shared.binary, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// works runs a command that must succeed.
func works(t *testing.T, args ...string) string {
	t.Helper()
	code, out := command(t, args...)
	if code != 0 {
		t.Fatalf("%v: status %d\n%s", args, code, out)
	}
	return out
}

// refused runs a command that must fail with a sentence.
func refused(t *testing.T, says string, args ...string) {
	t.Helper()
	if code, out := command(t, args...); code != 1 || !strings.Contains(out, says) {
		t.Errorf("%v: status %d, want a sentence with %q\n%s", args, code, says, out)
	}
}

func newKeeper(t *testing.T, name string) *keeper {
	t.Helper()
	dir := filepath.Join(shared.dir, name)
	k := &keeper{
		dir: dir, writer: filepath.Join(dir, "w.key"), reader: filepath.Join(dir, "r.key"),
		backups: filepath.Join(dir, "backups"), journal: filepath.Join(dir, "journal"), kek: "file:" + filepath.Join(dir, "kek.json"),
	}
	for _, d := range []string{k.backups, k.journal} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	works(t, "backup", "keygen", "--writer", k.writer, "--reader", k.reader)
	return k
}

// storeAt says which store: a PostgreSQL URL or a folder.
func storeAt(place string) []string {
	if strings.Contains(place, "://") {
		return []string{"--database", place}
	}
	return []string{"--data", place}
}

// serve starts a server on a store and opens it. It is killed, not stopped.
func (k *keeper) serve(t *testing.T, name, place string, args ...string) *conformance.Target {
	t.Helper()
	all := append(storeAt(place), "--keys", k.kek)
	s, err := start(filepath.Join(filepath.Base(k.dir), name), append(all, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.kill(t, s) })
	k.server = s
	return s.open(t)
}

func (k *keeper) kill(t *testing.T, s *server) {
	t.Helper()
	if err := s.Kill(); err != nil {
		t.Error(err)
	}
}

func (k *keeper) restore(place string, more ...string) []string {
	return append(append([]string{"restore", "--from", k.backups, "--backup-key", k.reader, "--keys", k.kek}, storeAt(place)...), more...)
}

// SG-08, SG-09: a backup taken under load, restored into the other engine after
// a loss, brings nothing back that was revoked, and what was changed or is
// missing is refused.
func TestRestoredBackup(t *testing.T) {
	for name, places := range map[string]func(k *keeper) (from, to string){
		"embedded-to-postgres": func(k *keeper) (string, string) { return filepath.Join(k.dir, "from"), testpg.Start(t) },
		"postgres-to-embedded": func(k *keeper) (string, string) { return testpg.Start(t), filepath.Join(k.dir, "to") },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t, name)
			from, to := places(k)
			story := k.lose(t, from)
			k.tampered(t, to)
			k.halfway(t, to)
			works(t, k.restore(to, "--revocation-journal", k.journal)...)
			k.drill(t)
			story.after(t, k.serve(t, "after", to, "--unsafe-clock-offset", k.tenMinutes(t), "--backup-key", k.writer, "--revocation-journal", k.journal))
		})
	}
}

// tenMinutes gives a clock offset: a restored server waits before it answers.
func (k *keeper) tenMinutes(t *testing.T) string {
	t.Helper()
	offset := filepath.Join(k.dir, "offset")
	if err := os.WriteFile(offset, []byte("10m"), 0o600); err != nil {
		t.Fatal(err)
	}
	return offset
}

// lost is what was there before the loss.
type lost struct {
	before           *conformance.Target
	revoked, rotated *kit.Grant
	// spent was rotated after the backup; newest is what came of it.
	spent, newest string
	cookies       string
}

func (k *keeper) launch(t *testing.T, target *conformance.Target, person string) *kit.Grant {
	t.Helper()
	g, err := target.Launch(t.Context(), kit.Launch{
		Client: target.Client("public"), Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Person: person},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// lose backs a server up under load, revokes, and kills the server.
func (k *keeper) lose(t *testing.T, from string) *lost {
	t.Helper()
	// A first life of the server leaves a segment that ended in good order.
	k.serve(t, "first", from, "--backup-key", k.writer, "--revocation-journal", k.journal)
	if err := k.server.Stop(); err != nil {
		t.Fatal(err)
	}
	target := k.serve(t, "before", from, "--backup-key", k.writer, "--revocation-journal", k.journal)
	s := &lost{before: target, revoked: k.launch(t, target, "rosa"), rotated: k.launch(t, target, "rosa")}
	s.cookies = target.Browser("rosa").Cookies(target.Issuer + "/home")
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for range 10 {
				if _, err := target.ClientCredentials(t.Context(), target.Client("backend"), "system/Patient.rs"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	works(t, append([]string{"backup", "--to", k.backups, "--backup-key", k.writer, "--keys", k.kek}, storeAt(from)...)...)
	load.Wait()
	if out := works(t, "backup", "verify", k.backups, "--backup-key", k.reader); !strings.Contains(out, "is whole") {
		t.Error(out)
	}

	app := target.Client("public")
	s.spent = s.rotated.RefreshToken()
	res, err := target.Refresh(t.Context(), app, s.spent, "")
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	s.newest = res.Text("refresh_token")
	if res, err := target.RevokeToken(t.Context(), app, s.revoked.RefreshToken()); err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	if res := k.admin(t, target, http.MethodPost, "/consents/e1-daughter-meds-appts/withdraw"); res.Status != http.StatusOK {
		t.Fatal(res)
	}
	if err := target.Browser("rosa").SignOut(t.Context(), target.Issuer+"/home"); err != nil {
		t.Fatal(err)
	}
	k.kill(t, k.server)
	k.canaries(t, s)
	return s
}

func (k *keeper) admin(t *testing.T, target *conformance.Target, method, path string) *kit.Response {
	t.Helper()
	res, err := target.Do(t.Context(), kit.Request{Method: method, URL: target.AdminAPI.URL + path, Bearer: target.AdminAPI.Token})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// canaries looks into what is kept apart for anything that must not be there
// (SE-01).
func (k *keeper) canaries(t *testing.T, s *lost) {
	t.Helper()
	for _, dir := range []string{k.backups, k.journal} {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, canary := range []string{
				"Rosa", "Delgado", "Elena", "Lakeside", s.spent, s.newest, s.revoked.Access(), s.before.Person("rosa").Password, "Palliative",
			} {
				if canary != "" && bytes.Contains(raw, []byte(canary)) {
					t.Errorf("%s holds %q", file, canary)
				}
			}
		}
	}
}

// tampered tries everything that a restore must refuse.
func (k *keeper) tampered(t *testing.T, to string) {
	t.Helper()
	with := []string{"--revocation-journal", k.journal}
	refused(t, "would come back", k.restore(to)...)
	other := newKeeper(t, filepath.Base(k.dir)+"-other")
	stranger := k.restore(to, with...)
	stranger[4] = other.reader
	refused(t, "was made for the key", stranger...)
	stranger[4] = k.writer
	refused(t, "not a reader key", stranger...)

	kept, err := filepath.Glob(filepath.Join(k.backups, "*"))
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	raw, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(k.dir, "broken")
	damaged := k.restore(to, with...)
	damaged[2] = broken
	for says, change := range map[string]func([]byte) []byte{
		"between byte": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut":          func(b []byte) []byte { return b[:len(b)-1000] },
		"signature":    func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
	} {
		if err := os.WriteFile(broken, change(bytes.Clone(raw)), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, says, damaged...)
	}
	k.cutJournal(t, to, with)
}

// halfway stops a restore after loading, for want of the right keys: the store
// must not be served, and the restore goes on where it stopped.
func (k *keeper) halfway(t *testing.T, to string) {
	t.Helper()
	wrong := k.restore(to, "--revocation-journal", k.journal)
	wrong[6] = "file:" + filepath.Join(shared.dir, "kek.json")
	if code, out := command(t, wrong...); code != 1 {
		t.Errorf("restored with the keys of another store: %s", out)
	}
	s, err := start(filepath.Join(filepath.Base(k.dir), "too-early"), append(storeAt(to), "--keys", k.kek)...)
	if err == nil {
		k.kill(t, s)
		t.Fatal("a half restored store was served")
	}
	if !strings.Contains(err.Error(), "being restored") {
		t.Error(err)
	}
}

// cutJournal changes and cuts a copy of the journal.
func (k *keeper) cutJournal(t *testing.T, to string, with []string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(k.journal, "*"))
	if err != nil || len(segments) != 2 {
		t.Fatal(segments, err)
	}
	raw, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	newer, err := os.ReadFile(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(k.dir, "copied")
	if err := os.MkdirAll(copied, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, filepath.Base(segments[1])), newer, 0o600); err != nil {
		t.Fatal(err)
	}
	for says, text := range map[string][]byte{
		"is not what was written": bytes.Replace(raw, []byte(`"kind":"consent"`), []byte(`"kind":"token"`), 1),
		"ends at line":            raw[:bytes.IndexByte(raw, '\n')+1],
	} {
		if err := os.WriteFile(filepath.Join(copied, filepath.Base(segments[0])), text, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, says, k.restore(to, "--revocation-journal", copied)...)
	}
	if err := os.Remove(filepath.Join(copied, filepath.Base(segments[0]))); err != nil {
		t.Fatal(err)
	}
	refused(t, "reaches only to", k.restore(to, append(with, "--lost-at", "2100-01-01T00:00:00Z")...)...)
	refused(t, "lacks its segment", k.restore(to, "--revocation-journal", copied)...)
}

// drill rehearses on scratch copies, in good and bad order.
func (k *keeper) drill(t *testing.T) {
	t.Helper()
	evidence := filepath.Join(k.dir, "evidence.json")
	out := works(t, "backup", "drill", k.backups, "--backup-key", k.reader, "--keys", k.kek, "--revocation-journal", k.journal, "--evidence", evidence)
	if !strings.Contains(out, "passed") || !strings.Contains(out, "1 tokens refused") && !strings.Contains(out, "2 tokens refused") {
		t.Error(out)
	}
	if out := works(t, "backup", "verify", evidence, "--evidence", "--backup-key", k.writer); !strings.Contains(out, `"passed":true`) {
		t.Error(out)
	}
	if out := works(t, "backup", "drill", k.backups, "--backup-key", k.reader, "--keys", k.kek, "--revoke-everything"); !strings.Contains(out, "passed") {
		t.Error(out)
	}
}

// after looks at the restored server.
func (s *lost) after(t *testing.T, target *conformance.Target) {
	t.Helper()
	app := target.Client("public")
	for name, token := range map[string]string{"revoked": s.revoked.RefreshToken(), "spent after the backup": s.spent, "newest": s.newest} {
		if res, err := target.Refresh(t.Context(), app, token, ""); err != nil || res.Status != http.StatusBadRequest {
			t.Errorf("the refresh token %s: %v %v", name, res, err)
		}
	}
	for name, g := range map[string]*kit.Grant{"revoked": s.revoked, "standing": s.rotated} {
		if res, err := target.FHIR(t.Context(), g.Access(), "Patient/rosa"); err != nil || res.Status != http.StatusUnauthorized {
			t.Errorf("an access token of the %s grant from before: %v %v", name, res, err)
		}
	}
	home, err := target.Do(t.Context(), kit.Request{Method: http.MethodGet, URL: target.Issuer + "/home", Header: http.Header{"Cookie": {s.cookies}}})
	if err != nil || strings.Contains(string(home.Body), "/signout") {
		t.Errorf("a log-in that was ended is back: %v", err)
	}
	k := &keeper{}
	if res := k.admin(t, target, http.MethodGet, "/consents?patient=rosa"); !strings.Contains(string(res.Body), `"status":"inactive"`) {
		t.Errorf("a withdrawn Consent is back: %s", res.Body)
	}
	// And life goes on.
	g := k.launch(t, target, "rosa")
	if res, err := target.FHIR(t.Context(), g.Access(), "Patient/rosa"); err != nil || res.Status != http.StatusOK {
		t.Error(res, err)
	}
}

// SG-09: what was committed and did not reach the journal, because the process
// was killed in between, is there before the next process answers anybody.
func TestJournalAfterAKill(t *testing.T) {
	k := newKeeper(t, "killed-before-the-journal")
	data := filepath.Join(k.dir, "data")
	// A process without the journal leaves the store as one that was killed
	// behind its commit does.
	target := k.serve(t, "without", data)
	if res := k.admin(t, target, http.MethodPost, "/consents/e1-daughter-meds-appts/withdraw"); res.Status != http.StatusOK {
		t.Fatal(res)
	}
	k.kill(t, k.server)
	k.serve(t, "with", data, "--backup-key", k.writer, "--revocation-journal", k.journal)
	segments, err := filepath.Glob(filepath.Join(k.journal, "*"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	raw, err := os.ReadFile(segments[0])
	if err != nil || !strings.Contains(string(raw), "e1-daughter-meds-appts") {
		t.Errorf("the journal lacks it: %s %v", raw, err)
	}
	k.kill(t, k.server)
	// Killed in the middle of revoking, over and over: each revocation that was
	// confirmed is in the journal.
	for round := range 3 {
		target := k.serve(t, fmt.Sprint("again-", round), data, "--backup-key", k.writer, "--revocation-journal", k.journal)
		k.killWhileRevoking(t, target)
	}
}

// killWhileRevoking revokes grants until the server is killed.
func (k *keeper) killWhileRevoking(t *testing.T, target *conformance.Target) {
	t.Helper()
	var tokens []string
	for range 6 {
		tokens = append(tokens, k.launch(t, target, "rosa").RefreshToken())
	}
	app, confirmed := target.Client("public"), make(chan struct{}, len(tokens))
	var wg sync.WaitGroup
	for _, token := range tokens {
		wg.Go(func() {
			if res, err := target.RevokeToken(t.Context(), app, token); err == nil && res.Status == http.StatusOK {
				confirmed <- struct{}{}
			}
		})
	}
	<-confirmed
	k.kill(t, k.server)
	wg.Wait()
	segments, err := filepath.Glob(filepath.Join(k.journal, "*"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(segments[len(segments)-1])
	if err != nil {
		t.Fatal(err)
	}
	if got, least := strings.Count(string(raw), `"kind":"grant"`), len(confirmed)+1; got < least {
		t.Errorf("%d grants were confirmed as revoked, the journal has %d", least, got)
	}
}
