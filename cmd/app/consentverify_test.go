package app_test

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// CPA PV-01, PV-08: every version of a Consent verifies, a withdrawal and those from
// before a rotation of the key too; one that was changed in the store is named.
func TestStoredVersionsVerify(t *testing.T) {
	s := start(t, nil)
	verify := func(want int) (out struct {
		Verified int
		Faults   []struct{ Consent, Fault string }
	}) {
		t.Helper()
		code, text, errOut := cli(t, "consent", "verify", "--json", "--data", s.data)
		if err := json.Unmarshal([]byte(text), &out); code != want || err != nil {
			t.Fatalf("%d, %v: %s%s", code, err, text, errOut)
		}
		return out
	}
	before := verify(0)
	if before.Verified == 0 || len(before.Faults) > 0 {
		t.Fatalf("%+v", before)
	}
	if code, _, errOut := cli(t, "keys", "rotate", "record", "--data", s.data); code != 0 {
		t.Fatal(errOut)
	}
	s.admin(t, "POST", "/consents/e2-husband-full-normal/withdraw", "", nil)
	if after := verify(0); after.Verified != before.Verified+1 {
		t.Errorf("%+v, before %+v", after, before)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "mandate.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Exec(`UPDATE consent_version SET json = (SELECT json FROM consent WHERE id = 'e1-daughter-meds-appts')
		WHERE id = 'e2-husband-full-normal' AND version = 1`); err != nil {
		t.Fatal(err)
	}
	found := verify(1)
	if len(found.Faults) != 1 || found.Faults[0].Consent != "Consent/e2-husband-full-normal/_history/1" || found.Faults[0].Fault != "unreadable" {
		t.Errorf("%+v", found)
	}
	if code, out, _ := cli(t, "consent", "verify", "--public-keys", "--data", s.data); code != 0 || strings.Count(out, `"kid"`) != 2 || strings.Contains(out, `"d"`) {
		t.Errorf("%d: %s", code, out)
	}
}
