package consent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
)

func (m *memory) ConsentVersions(_ context.Context, tenant, _ string, after VersionRef, limit int) (out []VersionRef, err error) {
	for _, key := range slices.Sorted(maps.Keys(m.versions)) {
		for _, v := range m.versions[key] {
			behind := cmp.Or(cmp.Compare(v.ID, after.ID), cmp.Compare(v.Version, after.Version)) > 0
			if v.Tenant == tenant && behind && len(out) < limit && v.Kind != KindAppApproval {
				out = append(out, VersionRef{v.ID, v.Version, v.Updated})
			}
		}
	}
	return out, nil
}

func (m *memory) EvidenceOf(_ context.Context, f evidence.Filter) ([]evidence.Record, error) {
	return slices.DeleteFunc(slices.Clone(m.evidence), func(r evidence.Record) bool { return r.Focus != f.Focus || r.Type != f.Type }), nil
}

// hashSigner signs by a hash, for tests.
type hashSigner struct{}

func (hashSigner) SignRecord(_ context.Context, _ string, raw []byte) (string, error) {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

func (s hashSigner) VerifyRecord(ctx context.Context, tenant, seal string, raw []byte) error {
	if want, _ := s.SignRecord(ctx, tenant, raw); want != seal {
		return errs.New(errs.Unauthenticated, "record-signature", "Another record.")
	}
	return nil
}

// CPA PV-01, PV-02, PV-08: each version that is filed, changed or ended verifies; one
// whose bytes changed, whose Provenance is gone, or which is gone is named.
func TestVersionsVerify(t *testing.T) {
	s, m := service(t)
	s.deps.Signer = hashSigner{}
	ctx := t.Context()
	rec, err := s.File(ctx, Filing{Tenant: tenant, ID: "e1-daughter-meds-appts", Raw: examples(t)["e1-daughter-meds-appts"], Origin: audit.Event{PersonID: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Withdraw(ctx, tenant, rec.ID, audit.Event{PersonID: "p"}); err != nil {
		t.Fatal(err)
	}
	key, first := tenant+"/"+rec.ID, versioned(rec.ID, 1)
	v := Verifier{Read: m, Signer: hashSigner{}, Since: rec.Updated}
	check := func(what string, good int, faults ...VersionFault) {
		t.Helper()
		got, err := v.Verify(ctx, tenant, "")
		if err != nil || got.Good != good || !slices.Equal(got.Faults, faults) {
			t.Errorf("%s: %+v %v", what, got, err)
		}
	}
	check("as stored", 2)
	kept := slices.Clone(m.versions[key])
	changed := slices.Clone(kept[0].JSON)
	changed[len(changed)/2] ^= 1
	m.versions[key][0].JSON = changed
	check("one byte", 1, VersionFault{first, FaultChanged})
	m.versions[key][0] = kept[0]
	provenances := slices.Clone(m.evidence)
	m.evidence = slices.DeleteFunc(m.evidence, func(r evidence.Record) bool { sealed, _ := evidence.SealOf(r); return sealed.Target == first })
	check("no Provenance", 1, VersionFault{first, FaultUnsigned})
	v.Since = rec.Updated.Add(time.Hour)
	check("from before", 1)
	m.evidence, v.Since = provenances, rec.Updated
	m.versions[key] = kept[:1]
	check("the newest gone", 1, VersionFault{versioned(rec.ID, 2), FaultMissing})
}
