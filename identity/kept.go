package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// directoryUnreachable is the cause code and the recorded reason of a password that
	// nobody could look at.
	directoryUnreachable = "directory-unreachable"
	// endedByKeeper is why sessions end when a password moves.
	endedByKeeper = "password-moved"
)

// Directory checks passwords that a directory of the organisation keeps;
// identity/factor/ldap is one.
type Directory interface {
	// Check asks whether a password is that of the one entry which has a username.
	// entry is what an earlier answer said, "" for none. An empty password is never
	// right. Errors: errs.Unavailable with code directory-unreachable.
	Check(ctx context.Context, username, entry, password string) (DirectoryAnswer, error)
	// Feign asks for nobody, with the same round trips. Errors: as for Check.
	Feign(ctx context.Context) error
}

// DirectoryAnswer is what a directory says of a password.
type DirectoryAnswer struct {
	// Entry names the entry for good; "" where the directory has no such name.
	Entry string
	// Refused is why the password does not count, "" when it is right: password-wrong,
	// directory-entry-absent, directory-entry-ambiguous, directory-entry-changed,
	// directory-account-blocked or directory-password-expired.
	Refused string
}

// keptSecret is the stored secret of a factor of the kind FactorDirectory.
type keptSecret struct {
	Entry string `json:"entry,omitempty"`
}

func (f Factor) entry() string {
	var k keptSecret
	if f.Kind != FactorDirectory || json.Unmarshal(f.Secret, &k) != nil {
		return ""
	}
	return k.Entry
}

func (s *Service) newKept(p Person, now time.Time) (Factor, error) {
	f := Factor{Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Kind: FactorDirectory, Created: now}
	return f, f.setEntry("")
}

func (f *Factor) setEntry(entry string) (err error) {
	if f.Secret, err = json.Marshal(keptSecret{Entry: entry}); err != nil {
		err = errs.Wrap(err, errs.Internal, "directory-mark", "The mark of a directory cannot be stored.")
	}
	return err
}

// keptOf gives the mark of an account whose password a directory keeps.
func keptOf(all []Factor) (Factor, bool) {
	i := slices.IndexFunc(all, func(f Factor) bool { return f.Kind == FactorDirectory })
	if i < 0 {
		return Factor{}, false
	}
	return all[i], true
}

// MayChoosePassword refuses a password of here where a directory keeps it. Errors:
// errs.Forbidden with code password-elsewhere.
func MayChoosePassword(all []Factor) error {
	if _, kept := keptOf(all); kept {
		return errKept()
	}
	return nil
}

// errKept refuses a password of ours for an account whose password is elsewhere.
func errKept() error {
	return errs.New(errs.Forbidden, "password-elsewhere", "The password of this account is kept in the directory of the organization, and is changed there.")
}

// askDirectory lets the directory judge where it keeps the password. For everybody
// else whose password was not right it is asked for nobody: neither the time nor an
// outage tells whose passwords it keeps.
func (s *Service) askDirectory(ctx context.Context, c *candidate, password string) (err error) {
	if s.d.Directory == nil {
		return nil
	}
	d := s.d.Directory(c.tenant)
	var a DirectoryAnswer
	switch {
	case d == nil:
		return nil
	case c.kept.ID != "":
		if a, err = d.Check(ctx, c.person.Username, c.kept.entry(), password); err == nil {
			c.settle(a)
		}
	case c.reason != "":
		err = d.Feign(ctx)
	}
	if errs.Is(err, errs.Unavailable) {
		c.outage, err = err, nil
		if c.kept.ID != "" {
			c.reason = directoryUnreachable
		}
	}
	return err
}

// settle takes the word of a directory.
func (c *candidate) settle(a DirectoryAnswer) {
	switch {
	case a.Refused != "":
		c.reason = a.Refused
	case c.person.Disabled:
		c.reason = "account-disabled"
	default:
		c.reason, c.entry = "", a.Entry
	}
}

// failed is the one answer to a password that does not count: while the directory is
// away it is the same for every name, and says so.
func (c candidate) failed() error {
	if c.outage != nil {
		return c.outage
	}
	return signInFailed()
}

// outage counts tries that nobody could judge by themselves: they are no failures of
// the account, and are braked as failures are, so that strangers see no difference.
func (t try) outage() try {
	t.limits = slices.Clone(t.limits)
	for i := range t.limits {
		t.limits[i].key += ":outage"
	}
	t.consecutive = ""
	return t
}

// counts gives the counters of a try.
func (c candidate) counts(t try) try {
	if c.reason == directoryUnreachable {
		return t.outage()
	}
	return t
}

// keepEntry notes with the first right password which entry the account belongs to,
// unless another one was noted in between.
func (s *Service) keepEntry(ctx context.Context, tx Tx, c candidate) error {
	if c.kept.ID == "" || c.entry == "" || c.kept.entry() != "" {
		return nil
	}
	f, err := tx.FactorByID(ctx, c.tenant, c.kept.ID)
	if errs.Is(err, errs.NotFound) || err == nil && !bytes.Equal(f.Secret, c.kept.Secret) {
		return nil
	}
	if err == nil {
		err = f.setEntry(c.entry)
	}
	if err != nil {
		return err
	}
	return tx.PutFactor(ctx, f)
}

// KeepElsewhere moves the password of somebody of the staff to the directory of the
// organisation: the one of here is removed and all log-ins end. Second factors stay.
// It does nothing for an account that is there. The caller has made sure of who asks.
// Errors: errs.NotFound with code account-not-found; errs.Invalid with code
// directory-staff-only; errs.Unavailable.
func (s *Service) KeepElsewhere(ctx context.Context, tenant, username string) error {
	return s.move(ctx, tenant, username, func(tx Tx, p Person, all []Factor, now time.Time) error {
		if !p.Role.Staff() {
			return errStaffOnly()
		}
		if _, kept := keptOf(all); kept {
			return nil
		}
		for _, f := range all {
			if f.Kind == FactorPassword {
				if err := s.dropMoved(ctx, tx, f, now); err != nil {
					return err
				}
			}
		}
		f, err := s.newKept(p, now)
		if err != nil {
			return err
		}
		if err := tx.AddFactor(ctx, f); err != nil {
			return err
		}
		return s.factorChanged(ctx, tx, change{kind: audit.FactorAdded, factor: f, outcome: audit.Success, reason: endedByKeeper}, now)
	})
}

// KeepTx marks the account of a member of staff that has nothing to sign in with as one
// whose password a directory keeps. It does nothing for any other account. Errors:
// errs.Unavailable.
func (s *Service) KeepTx(ctx context.Context, tx Tx, p Person, m Meta) error {
	all, err := tx.Factors(ctx, p.Tenant, p.ID)
	if err != nil || len(all) > 0 || !p.Role.Staff() {
		return err
	}
	now := s.now()
	f, err := s.newKept(p, now)
	if err != nil {
		return err
	}
	if err := tx.AddFactor(ctx, f); err != nil {
		return err
	}
	return s.factorChanged(ctx, tx, change{kind: audit.FactorAdded, factor: f, outcome: audit.Success, reason: "directory", meta: m, quiet: true}, now)
}

func errStaffOnly() error {
	return errs.New(errs.Invalid, "directory-staff-only", "The directory keeps the passwords of staff only.")
}

// KeepHere ends that: the account has no password then, until its owner has chosen one
// by the way back into an account. Errors: as for KeepElsewhere.
func (s *Service) KeepHere(ctx context.Context, tenant, username string) error {
	return s.move(ctx, tenant, username, func(tx Tx, _ Person, all []Factor, now time.Time) error {
		f, kept := keptOf(all)
		if !kept {
			return nil
		}
		return s.dropMoved(ctx, tx, f, now)
	})
}

func (s *Service) dropMoved(ctx context.Context, tx Tx, f Factor, now time.Time) error {
	if _, err := tx.RemoveFactor(ctx, f.Tenant, f.ID); err != nil {
		return err
	}
	return s.factorChanged(ctx, tx, change{kind: audit.FactorRemoved, factor: f, outcome: audit.Success, reason: endedByKeeper}, now)
}

// move changes where a password is kept, and ends all log-ins.
func (s *Service) move(ctx context.Context, tenant, username string, do func(Tx, Person, []Factor, time.Time) error) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		p, err := s.named(ctx, tx, tenant, username)
		if err != nil {
			return err
		}
		all, err := tx.Factors(ctx, tenant, p.ID)
		if err != nil {
			return err
		}
		if err := do(tx, p, all, now); err != nil {
			return err
		}
		_, err = s.endThose(ctx, tx, Session{Tenant: tenant, PersonID: p.ID}, endedByKeeper, Meta{}, now, func(Session) bool { return true })
		return err
	})
}
