package proxy

import (
	"net/mail"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

// StateBlocked is shut out by the patient for good: whatever anybody grants later
// opens nothing. The person is never told, and sees what one sees whose access
// has ended, or who never had any (FX-15, TF-14).
const StateBlocked State = "blocked"

// The acts of it.
const (
	ActBlock   Act = "block"
	ActUnblock Act = "unblock"
)

// blocking are the transitions of it.
func blocking() []Transition {
	return []Transition{
		{ActBlock, append(alive(), StateExpired, StateRevoked, StateEnded), StateBlocked, nil},
		{ActUnblock, []State{StateBlocked}, StateRevoked, nil},
	}
}

// Shut begins a case about somebody who never had access and never shall. The
// address may be empty. Errors: errs.Invalid as of Invite.
func Shut(in Invitation, tenant, id, patient string, by Signed) (Case, error) {
	name := strings.Join(strings.Fields(in.Name), " ")
	if name == "" || len(name) > maxName {
		return Case{}, errs.New(errs.Invalid, "proxy-name", "Write the person's name.")
	}
	if !slices.Contains(Relations(), in.Relationship) && in.Relationship != FormerSpouse {
		return Case{}, errs.New(errs.Invalid, "proxy-relationship", "Choose who the person is.")
	}
	email := strings.TrimSpace(in.Email)
	if email != "" {
		if at, err := mail.ParseAddress(email); err != nil || at.Address != email {
			return Case{}, errs.New(errs.Invalid, "proxy-email", "Write one e-mail address.")
		}
	}
	c := Case{
		Tenant: tenant, ID: id, Patient: patient, State: StateBlocked, Basis: BasisDesignated, Updated: by.At,
		Name: name, Email: email, Relationship: in.Relationship, Invited: by,
	}
	c.Steps = []Step{{Act: ActBlock, To: StateBlocked, Signed: by}}
	return c, nil
}

// FormerSpouse is a relationship that is told when somebody is shut out (RC-08).
const FormerSpouse = "FMRSPS"

// Block shuts somebody out for good.
func (c Case) Block(by Signed) (Case, error) { return c.close(ActBlock, by, "") }

// Unblock takes that back; nothing is open by it.
func (c Case) Unblock(by Signed) (Case, error) { return c.close(ActUnblock, by, "") }

// SamePerson reports whether two cases are about one account or one address.
func (c Case) SamePerson(other Case) bool {
	return c.Who() != "" && c.Who() == other.Who() || c.Email != "" && c.SameAddress(other.Email)
}
