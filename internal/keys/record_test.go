package keys

import (
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// CPA PV-08: a record verifies by its exact bytes, under its tenant, also after the
// key was rotated and its private half destroyed; any other byte does not.
//
// long: one record through all that can happen to its key.
func TestRecordsVerifyForGood(t *testing.T) {
	ctx, store, c := t.Context(), &memory{}, &clock.Movable{}
	r := NewRing(store, c)
	if _, err := r.SignRecord(ctx, "t", []byte(`{}`)); !errs.Is(err, errs.Unavailable) {
		t.Errorf("signed by a ring that is not open: %v", err)
	}
	if err := r.Open(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	record := `{"b": 1.10, "a": "x"}`
	seal, err := r.SignRecord(ctx, "t", []byte(record))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.VerifyRecord(ctx, "t", seal, []byte(record)); err != nil {
		t.Fatal(err)
	}
	for i := range record {
		changed := []byte(record)
		changed[i] ^= 1
		if err := r.VerifyRecord(ctx, "t", seal, changed); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("%s verifies: %v", changed, err)
		}
	}
	same := `{"a":"x","b":1.1}`
	if err := r.VerifyRecord(ctx, "t", seal, []byte(same)); errs.As(err).Code != "record-signature" {
		t.Errorf("other bytes of the same form: %v", err)
	}
	if err := r.VerifyRecord(ctx, "other", seal, []byte(record)); errs.As(err).Code != "record-key-unknown" {
		t.Errorf("another tenant: %v", err)
	}
	if _, err := r.Verify(ctx, "t", UseAccessToken, "at+jwt", seal); err == nil {
		t.Error("a seal is a token")
	}
	if jwks, err := r.JWKS(ctx, "t"); err != nil || strings.Contains(string(jwks), kidOf(store, UseRecord)) {
		t.Errorf("apps are given the key of records: %s %v", jwks, err)
	}

	custodian, first := custody(store, r, c), kidOf(store, UseRecord)
	if _, err := custodian.RotateSigning(ctx, "t", UseRecord, Announce); err != nil {
		t.Fatal(err)
	}
	c.Advance(Announce + Overlap + time.Minute)
	if err := custodian.TendSigning(ctx, "t", 90*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	kept, _ := store.SigningKeys(ctx, "t")
	for _, k := range kept {
		if h, halved := k.held(); k.KID == first && (!halved || h.Module != "" || len(h.Public) == 0) {
			t.Errorf("the retired key still has its private half: %s", k.Private)
		}
	}
	c.Advance(400 * 24 * time.Hour)
	if err := custodian.TendSigning(ctx, "t", 1000*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	fresh := NewRing(store, c)
	if err := fresh.VerifyRecord(ctx, "t", seal, []byte(record)); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	next, err := fresh.SignRecord(ctx, "t", []byte(record))
	if err != nil || strings.Split(next, ".")[0] == strings.Split(seal, ".")[0] {
		t.Errorf("the retired key signs: %v", err)
	}
	if set, since, err := fresh.RecordKeys(ctx, "t"); err != nil || len(set.Keys) != 2 || since.IsZero() {
		t.Errorf("%d keys since %v: %v", len(set.Keys), since, err)
	}
}

// kidOf gives the first key of a use.
func kidOf(m *memory, use Use) string {
	for _, k := range m.keys {
		if k.Use == use {
			return k.KID
		}
	}
	return ""
}
