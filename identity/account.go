package identity

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// NewAccount is an account to be made, by the command line or as demo data.
type NewAccount struct {
	// Person is stored as given; an empty ID is filled, Created is set.
	Person   Person
	Password string
	// TOTPSecret is base32; empty enrols no second factor.
	TOTPSecret string
}

// CreateAccount makes an account with its factors and writes person.saved.
// Errors: errs.Conflict with code account-exists when the ID or the username
// is taken; errs.Invalid for an unfit username, password or second-factor
// secret; errs.Unavailable.
func (s *Service) CreateAccount(ctx context.Context, n NewAccount) (Person, error) {
	now, p := s.now(), n.Person
	if name := FoldUsername(p.Username); name == "" || len(p.Username) > maxUsername {
		return Person{}, errs.New(errs.Invalid, "username-unfit", "A username has 1 to 256 bytes.")
	}
	if n.TOTPSecret != "" {
		if _, _, err := s.d.Codes.Check([]byte(n.TOTPSecret), "", now); err != nil {
			return Person{}, errs.Wrap(err, errs.Invalid, "totp-secret-unfit", "A one-time-password secret is base32 text.")
		}
	}
	hash, err := s.d.Passwords.Hash(ctx, n.Password)
	if err != nil {
		return Person{}, err
	}
	if p.ID == "" {
		p.ID = s.d.IDs.ID()
	}
	p.Created = now
	factors := []Factor{{Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Kind: FactorPassword, Secret: hash, Created: now}}
	if n.TOTPSecret != "" {
		factors = append(factors, Factor{Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Kind: FactorTOTP, Secret: []byte(n.TOTPSecret), Created: now})
	}
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		if err := free(ctx, tx, p); err != nil {
			return err
		}
		if err := tx.PutPerson(ctx, p); err != nil {
			return err
		}
		for _, f := range factors {
			if err := tx.PutFactor(ctx, f); err != nil {
				return err
			}
		}
		return tx.AppendAudit(ctx, audit.Event{
			Tenant: p.Tenant, Time: now, Kind: audit.PersonSaved, Action: "C", Outcome: audit.Success,
			Detail: map[string]string{"account": p.ID, "role": string(p.Role)},
		})
	})
	if err != nil {
		return Person{}, err
	}
	return p, nil
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
