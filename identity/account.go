package identity

import (
	"context"
	"strconv"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// NewAccount is an account to be made, by the command line or as demo data.
type NewAccount struct {
	// Person is stored as given; an empty ID is filled, Created is set.
	Person   Person
	Password string
	// PasswordHash is a stored form that Passwords can verify, in place of Password.
	PasswordHash []byte
	// Elsewhere says that a directory keeps the password, in place of both; for staff.
	Elsewhere bool
	// TOTPSecret is base32; empty enrols no second factor.
	TOTPSecret string
}

// CreateAccount makes an account with its factors and writes person.saved.
// Errors: errs.Conflict with code account-exists when the ID or the username
// is taken; errs.Invalid for an unfit username, password or second-factor
// secret; errs.Unavailable.
func (s *Service) CreateAccount(ctx context.Context, n NewAccount) (Person, error) {
	ready, err := s.Prepare(ctx, n)
	if err != nil {
		return Person{}, err
	}
	err = s.d.Tx.InTx(ctx, func(tx Tx) error { return s.CreateTx(ctx, tx, ready) })
	if err != nil {
		return Person{}, err
	}
	return ready.Person, nil
}

// Prepared is an account with its factors, ready to be stored.
type Prepared struct {
	Person  Person
	factors []Factor
}

// Prepare does the costly part of CreateAccount, outside of any transaction.
// Errors: errs.Invalid for an unfit username, password or second-factor secret;
// errs.Unavailable.
func (s *Service) Prepare(ctx context.Context, n NewAccount) (Prepared, error) {
	now, p := s.now(), n.Person
	if name := FoldUsername(p.Username); name == "" || len(p.Username) > maxUsername {
		return Prepared{}, errs.New(errs.Invalid, "username-unfit", "A username has 1 to 256 bytes.")
	}
	if n.TOTPSecret != "" {
		if _, _, err := s.d.Codes.Check([]byte(n.TOTPSecret), "", now); err != nil {
			return Prepared{}, errs.Wrap(err, errs.Invalid, "totp-secret-unfit", "A one-time-password secret is base32 text.")
		}
	}
	if p.ID == "" {
		p.ID = s.d.IDs.ID()
	}
	p.Created = now
	first, err := s.firstFactor(ctx, n, p)
	if err != nil {
		return Prepared{}, err
	}
	factors := []Factor{first}
	if n.TOTPSecret != "" {
		factors = append(factors, Factor{Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Kind: FactorTOTP, Secret: []byte(n.TOTPSecret), Created: now})
	}
	return Prepared{Person: p, factors: factors}, nil
}

// firstFactor is the password, or the mark of who keeps it.
func (s *Service) firstFactor(ctx context.Context, n NewAccount, p Person) (Factor, error) {
	if n.Elsewhere && !p.Role.Staff() {
		return Factor{}, errStaffOnly()
	}
	if n.Elsewhere {
		return s.newKept(p, p.Created)
	}
	hash, err := n.PasswordHash, error(nil)
	if hash == nil {
		hash, err = s.d.Passwords.Hash(ctx, n.Password)
	}
	return Factor{Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Kind: FactorPassword, Secret: hash, Created: p.Created}, err
}

// CreateTx stores a prepared account in a transaction of the caller and writes
// person.saved. Errors: errs.Conflict with code account-exists, errs.Unavailable.
func (s *Service) CreateTx(ctx context.Context, tx Tx, n Prepared) error {
	p := n.Person
	if err := free(ctx, tx, p); err != nil {
		return err
	}
	if err := tx.PutPerson(ctx, p); err != nil {
		return err
	}
	for _, f := range n.factors {
		if err := tx.PutFactor(ctx, f); err != nil {
			return err
		}
	}
	return tx.AppendAudit(ctx, audit.Event{
		Tenant: p.Tenant, Time: p.Created, Kind: audit.PersonSaved, Action: "C", Outcome: audit.Success,
		Detail: map[string]string{"account": p.ID, "role": string(p.Role)},
	})
}

// CodeQR gives the QR code by which a code app takes a secret, under the name of an
// account, as a PNG. Errors: errs.Internal.
func (s *Service) CodeQR(name, secret string) ([]byte, error) {
	return s.d.Codes.QR(s.d.Codes.URI(name, secret))
}

// CodeFits reports whether a one-time code fits a secret that is being set up:
// an authenticator that was not shown to work must not guard an account. Errors:
// errs.Internal for an unreadable secret.
func (s *Service) CodeFits(secret, code string) (bool, error) {
	_, ok, err := s.d.Codes.Check([]byte(secret), code, s.now())
	return ok, err
}

// free makes sure that neither the ID nor the username is taken.
func free(ctx context.Context, tx Tx, p Person) error {
	_, byID := tx.PersonByID(ctx, p.Tenant, p.ID)
	_, byName := tx.PersonByUsername(ctx, p.Tenant, FoldUsername(p.Username))
	for _, err := range []error{byID, byName} {
		if err == nil {
			return errs.New(errs.Conflict, "account-exists", "The account or its username exists already.")
		}
		if !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return nil
}

// SetHighRisk notes whether an account is of somebody at particular risk, and
// writes person.saved. Errors: errs.NotFound; errs.Unavailable.
func (s *Service) SetHighRisk(ctx context.Context, tenant, username string, on bool) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		p, err := tx.PersonByUsername(ctx, tenant, FoldUsername(username))
		if err != nil {
			return err
		}
		if err := tx.SaveHighRisk(ctx, tenant, p.ID, on); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.Event{
			Tenant: tenant, Time: now, Kind: audit.PersonSaved, Action: "U", Outcome: audit.Success,
			Detail: map[string]string{"account": p.ID, "high_risk": strconv.FormatBool(on)},
		})
	})
}
