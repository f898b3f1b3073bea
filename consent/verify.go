package consent

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
)

// VersionRef names one stored version. It is told without the key of its bytes.
type VersionRef struct {
	ID      string
	Version int
	Updated time.Time
}

// Versions is what verification reads. Every method may return errs.Unavailable.
type Versions interface {
	// ConsentVersions gives at most limit versions of privacy Consents of every
	// status, newest and older, behind one, ordered by id and version; patient ""
	// is everybody. What records the approval of an app is left out.
	ConsentVersions(ctx context.Context, tenant, patient string, after VersionRef, limit int) ([]VersionRef, error)
	ConsentVersion(ctx context.Context, tenant, id string, version int) (Record, error)
	EvidenceOf(ctx context.Context, f evidence.Filter) ([]evidence.Record, error)
}

// What Verify finds wrong with a version.
const (
	// FaultChanged: its bytes are not those that were signed.
	FaultChanged = "changed"
	// FaultUnsigned: it was stored when versions were signed, and has no signature.
	FaultUnsigned = "unsigned"
	// FaultKey: it is signed by a key that the tenant does not have.
	FaultKey = "key-unknown"
	// FaultUnreadable: it, or its Provenance, was changed in the store without the
	// keys.
	FaultUnreadable = "unreadable"
	// FaultMissing: it was signed and is not there.
	FaultMissing = "missing"
)

// VersionFault is one version that does not verify.
type VersionFault struct {
	// Consent is "Consent/id/_history/n".
	Consent string `json:"consent"`
	Fault   string `json:"fault"`
}

// Verified is what Verify found.
type Verified struct {
	// Good verify, Older were stored before versions were signed, and Erased are
	// those whose keys were destroyed for good.
	Good   int            `json:"verified"`
	Older  int            `json:"unsigned_older"`
	Erased int            `json:"erased"`
	Faults []VersionFault `json:"faults"`
}

// verifyStep is how many versions are listed at once.
const verifyStep = 200

// Verifier checks the signatures of stored versions (PV-08).
type Verifier struct {
	Read   Versions
	Signer Signer
	// Since is from when on versions are signed; zero for never.
	Since time.Time
	// Most is at how many versions it looks, to within a step; 0 is all.
	Most int
}

// Verify checks every version of a tenant, or of one patient. Errors:
// errs.Unavailable.
func (v Verifier) Verify(ctx context.Context, tenant, patient string) (Verified, error) {
	out := Verified{Faults: []VersionFault{}}
	var after VersionRef
	var one []VersionRef
	for seen := 0; v.Most == 0 || seen < v.Most; seen += verifyStep {
		page, err := v.Read.ConsentVersions(ctx, tenant, patient, after, verifyStep)
		if err != nil {
			return out, err
		}
		for _, ref := range page {
			if len(one) > 0 && one[0].ID != ref.ID {
				if err := v.consent(ctx, tenant, one, &out); err != nil {
					return out, err
				}
				one = nil
			}
			one, after = append(one, ref), ref
		}
		if len(page) < verifyStep {
			if len(one) > 0 {
				err = v.consent(ctx, tenant, one, &out)
			}
			return out, err
		}
	}
	return out, nil
}

// consent checks all versions of one Consent.
func (v Verifier) consent(ctx context.Context, tenant string, refs []VersionRef, out *Verified) error {
	seals := map[string]string{}
	id := refs[0].ID
	records, err := v.Read.EvidenceOf(ctx, evidence.Filter{Tenant: tenant, Type: evidence.TypeProvenance, Focus: "Consent/" + id})
	hidden := err != nil && !errs.Is(err, errs.Unavailable)
	if err != nil && !hidden {
		return err
	}
	for _, r := range records {
		// What cannot be read seals nothing, so its version is found to lack a seal.
		if s, err := evidence.SealOf(r); err == nil && s.Seal != "" {
			seals[s.Target] = s.Seal
		}
	}
	for _, ref := range refs {
		name := versioned(ref.ID, ref.Version)
		seal := seals[name]
		delete(seals, name)
		fault, err := v.version(ctx, tenant, ref, seal, hidden, out)
		if err != nil {
			return err
		}
		if fault != "" {
			out.Faults = append(out.Faults, VersionFault{name, fault})
		}
	}
	// What is left was signed after all that was listed, or is gone.
	return v.rest(ctx, tenant, refs, seals, out)
}

// rest looks at sealed versions that were not listed: those behind the last were
// perhaps stored since.
func (v Verifier) rest(ctx context.Context, tenant string, refs []VersionRef, seals map[string]string, out *Verified) error {
	var names []string
	for name := range seals {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n, err := strconv.Atoi(name[strings.LastIndex(name, "/")+1:])
		if err != nil {
			continue
		}
		if n > refs[len(refs)-1].Version {
			_, err := v.Read.ConsentVersion(ctx, tenant, refs[0].ID, n)
			if err == nil || errs.Is(err, errs.Unavailable) {
				continue
			}
		}
		out.Faults = append(out.Faults, VersionFault{name, FaultMissing})
	}
	return nil
}

// version checks one and gives its fault, "" for none. hidden says that its
// Provenance cannot be read.
func (v Verifier) version(ctx context.Context, tenant string, ref VersionRef, seal string, hidden bool, out *Verified) (string, error) {
	rec, err := v.Read.ConsentVersion(ctx, tenant, ref.ID, ref.Version)
	switch {
	case errs.Is(err, errs.Unavailable):
		return "", err
	case errs.Is(err, errs.Gone):
		out.Erased++
		return "", nil
	case err != nil || hidden:
		return FaultUnreadable, nil
	case seal == "" && (v.Since.IsZero() || ref.Updated.Before(v.Since)):
		out.Older++
		return "", nil
	case seal == "":
		return FaultUnsigned, nil
	}
	err = v.Signer.VerifyRecord(ctx, tenant, seal, rec.JSON)
	switch {
	case err == nil:
		out.Good++
		return "", nil
	case errs.Is(err, errs.Unavailable):
		return "", err
	case errs.As(err).Code == "record-key-unknown":
		return FaultKey, nil
	}
	return FaultChanged, nil
}
