package identity

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// The codes of SM-21 and NI-08: ten, of 80 bits each.
const (
	recoveryCodes = 10
	recoveryBytes = 10
	recoveryChars = 16
)

// recoverySet is what is kept of the codes that are left: their keyed hashes.
type recoverySet struct {
	Hashes []string `json:"hashes"`
}

// recoveryAlphabet leaves out letters that look like digits.
func recoveryAlphabet() *base32.Encoding {
	return base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
}

// foldRecovery gives the form in which codes are compared: whatever people type
// for letters that look like digits, in either case, with spaces or hyphens. It is
// "" for what cannot be a code.
func foldRecovery(typed string) string {
	s := strings.NewReplacer(" ", "", "-", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
	if len(s) != recoveryChars {
		return ""
	}
	return s
}

func (s *Service) recoveryHash(f Factor, folded string) string {
	return s.d.Hasher.At(f.Created).Hash("recovery:"+f.ID, folded)
}

// RecoveryLeft gives how many codes of a factor are left, 0 for another factor.
func (f Factor) RecoveryLeft() int {
	var set recoverySet
	if f.Kind != FactorRecovery || json.Unmarshal(f.Secret, &set) != nil {
		return 0
	}
	return len(set.Hashes)
}

// NewRecoveryCodes gives ten codes, each of which stands once for the second
// factor, and takes those before away. They are shown once and stored as keyed
// hashes. Errors: errs.Unauthenticated with code session-ended or step-up-needed;
// errs.Unavailable.
func (s *Service) NewRecoveryCodes(ctx context.Context, tenant, secret string, m Meta) ([]string, error) {
	now := s.now()
	codes, f, err := s.freshCodes(tenant, now)
	if err != nil {
		return nil, err
	}
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		who, err := s.manage(ctx, tx, tenant, secret, now)
		if err != nil {
			return err
		}
		f := f
		f.PersonID = who.person.ID
		if err := s.replaceCodes(ctx, tx, who.factors, f); err != nil {
			return err
		}
		return s.factorChanged(ctx, tx, change{kind: audit.FactorAdded, factor: f, outcome: audit.Success, meta: m, session: who.session.Hash}, now)
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// freshCodes makes ten codes and the factor that keeps their hashes; it is nobody's
// yet.
func (s *Service) freshCodes(tenant string, now time.Time) ([]string, Factor, error) {
	codes, f := make([]string, recoveryCodes), Factor{Tenant: tenant, ID: s.d.IDs.ID(), Kind: FactorRecovery, Created: now}
	var set recoverySet
	for i := range codes {
		plain := recoveryAlphabet().EncodeToString(s.d.IDs.Bytes(recoveryBytes))
		set.Hashes = append(set.Hashes, s.recoveryHash(f, plain))
		codes[i] = strings.Join([]string{plain[:4], plain[4:8], plain[8:12], plain[12:]}, "-")
	}
	var err error
	if f.Secret, err = json.Marshal(set); err != nil {
		return nil, f, errs.Wrap(err, errs.Internal, "recovery-codes", "The recovery codes cannot be stored.")
	}
	return codes, f, nil
}

// replaceCodes stores codes in place of those of before.
func (s *Service) replaceCodes(ctx context.Context, tx Tx, all []Factor, f Factor) error {
	for _, old := range all {
		if old.Kind != FactorRecovery {
			continue
		}
		if _, err := tx.RemoveFactor(ctx, f.Tenant, old.ID); err != nil {
			return err
		}
	}
	return tx.AddFactor(ctx, f)
}

// useRecovery takes a code away if it is one that is left, and tells the person.
// The counter of the factor moves on with each, so that of tries at the same time
// one wins.
func (s *Service) useRecovery(ctx context.Context, tx Tx, f Factor, typed string, m Meta, now time.Time) (bool, error) {
	folded := foldRecovery(typed)
	var set recoverySet
	if folded == "" || f.Kind != FactorRecovery || json.Unmarshal(f.Secret, &set) != nil {
		return false, nil
	}
	hash := s.recoveryHash(f, folded)
	i := slices.IndexFunc(set.Hashes, func(h string) bool { return ids.Equal(h, hash) })
	if i < 0 {
		return false, nil
	}
	if won, err := tx.AdvanceFactor(ctx, f.Tenant, f.ID, f.Counter+1); err != nil || !won {
		return false, err
	}
	set.Hashes = slices.Delete(set.Hashes, i, i+1)
	rest, err := json.Marshal(set)
	if err != nil {
		return false, errs.Wrap(err, errs.Internal, "recovery-codes", "The recovery codes cannot be stored.")
	}
	f.Secret, f.Counter, f.Used = rest, f.Counter+1, now
	if err := tx.PutFactor(ctx, f); err != nil {
		return false, err
	}
	return true, s.factorChanged(ctx, tx, change{kind: audit.FactorChanged, factor: f, outcome: audit.Success, reason: "recovery-code-used", meta: m}, now)
}
