package conformance_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testbucket"
	"github.com/mandate-health/mandate/internal/testpg"
)

// SG-08, SG-09: backups and the revocation journal in an object store that keeps
// them immutable: made beside a running server, listed, verified, rehearsed and
// restored straight from there, and nothing that was revoked comes back.
func TestBackupInAnObjectStore(t *testing.T) {
	objects := testbucket.Start(t)
	objects.Bucket(t, "kept", true)
	objects.Bucket(t, "second", true)
	objects.Bucket(t, "plain", false)
	k := newKeeper(t, "object-store")
	k.backups, k.journal = objects.Place("kept", "backups"), objects.Place("second", "journal")
	from, to := filepath.Join(k.dir, "from"), testpg.Start(t)
	store := append(storeAt(from), "--keys", k.kek)
	backup := func(place string) []string {
		return append([]string{"backup", "--to", place, "--backup-key", k.writer, "--backup-immutable"}, store...)
	}

	target := k.serve(t, "before", from, "--backup-key", k.writer, "--revocation-journal", k.journal, "--backup-immutable")
	refused(t, "has no Object Lock", backup(objects.Place("plain", "x"))...)
	refused(t, "does not answer", backup(strings.Replace(k.backups, "127.0.0.1", "127.0.0.2", 1))...)
	refused(t, "answers NoSuchBucket", backup(objects.Place("absent", "x"))...)
	refused(t, "takes no acl", backup(k.backups+"&acl=public")...)
	revoked := k.launch(t, target, "rosa")
	works(t, backup(k.backups)...)
	if res, err := target.RevokeToken(t.Context(), target.Client("public"), revoked.RefreshToken()); err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	if res := k.admin(t, target, http.MethodPost, "/consents/e1-daughter-meds-appts/withdraw"); res.Status != http.StatusOK {
		t.Fatal(res)
	}
	k.kill(t, k.server)

	if out := works(t, "backup", "list", k.backups); strings.Count(out, "s3://kept/backups/mandate-") != 1 || strings.Contains(out, objects.Endpoint) {
		t.Error(out)
	}
	if out := works(t, "backup", "verify", k.backups, "--backup-key", k.reader); !strings.Contains(out, "is whole") {
		t.Error(out)
	}
	drill := works(t, "backup", "drill", k.backups, "--backup-key", k.reader, "--keys", k.kek, "--revocation-journal", k.journal)
	if !strings.Contains(drill, "passed") || !strings.Contains(drill, "recovery time") {
		t.Error(drill)
	}
	refused(t, "would come back", k.restore(to)...)
	refused(t, "lacks its segment", k.restore(to, "--revocation-journal", objects.Place("second", "elsewhere"))...)
	works(t, k.restore(to, "--revocation-journal", k.journal)...)
	after := k.serve(t, "after", to, "--unsafe-clock-offset", k.tenMinutes(t), "--backup-key", k.writer, "--revocation-journal", k.journal)
	if res, err := after.Refresh(t.Context(), after.Client("public"), revoked.RefreshToken(), ""); err != nil || res.Status != http.StatusBadRequest {
		t.Errorf("a revoked refresh token: %v %v", res, err)
	}
	if res := k.admin(t, after, http.MethodGet, "/consents?patient=rosa"); !strings.Contains(string(res.Body), `"status":"inactive"`) {
		t.Errorf("a withdrawn Consent is back: %s", res.Body)
	}
	if res, err := after.Do(t.Context(), kit.Request{Method: http.MethodGet, URL: after.Issuer + "/readyz"}); err != nil || !strings.Contains(string(res.Body), "revocation-journal fine") {
		t.Errorf("not ready: %v %v", res, err)
	}
}
