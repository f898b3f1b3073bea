package identity

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// FactorContact is an address at which somebody is reached. It stands beside the
// authenticators because who takes it takes the account; it proves nothing itself.
const FactorContact FactorKind = "contact"

// NoticeContact is the template of the notice that carries a code to an address which
// is to be checked. Args: to, code, lang.
const NoticeContact = "contact.check"

const (
	// contactLife is how long a code to an address may be typed (NI-08).
	contactLife = time.Hour
	// ContactCooling is how long after its check an address is not written to yet, so
	// that the person hears of it at the one before.
	ContactCooling = 24 * time.Hour
	longestContact = 254
)

// Contact is an e-mail address of a person.
type Contact struct {
	ID, Address string
	Added       time.Time
	// Verified is when the code was typed, zero before; Usable from when on it is
	// written to.
	Verified, Usable time.Time
	// Ends is until when the code may be typed.
	Ends time.Time
}

// contactFacts is what a factor keeps of a contact beside its address.
type contactFacts struct {
	Ends   time.Time `json:"ends"`
	Usable time.Time `json:"usable,omitzero"`
}

func (f Factor) contact() (c Contact, ok bool) {
	var facts contactFacts
	if f.Kind != FactorContact || json.Unmarshal(f.Secret, &facts) != nil {
		return c, false
	}
	return Contact{ID: f.ID, Address: f.Name, Added: f.Created, Verified: f.Used, Usable: facts.Usable, Ends: facts.Ends}, true
}

func (c Contact) factor(tenant, personID string) (Factor, error) {
	secret, err := json.Marshal(contactFacts{Ends: c.Ends, Usable: c.Usable})
	return Factor{
		Tenant: tenant, ID: c.ID, PersonID: personID, Kind: FactorContact, Secret: secret, Name: c.Address, Created: c.Added, Used: c.Verified,
	}, err
}

// Current gives the address that is written to at t, "" for none: of those that are
// checked and usable the one checked last.
func Current(all []Contact, t time.Time) string {
	var best Contact
	for _, c := range all {
		if !c.Verified.IsZero() && !t.Before(c.Usable) && c.Verified.After(best.Verified) {
			best = c
		}
	}
	return best.Address
}

// Contacts gives the addresses of a person, oldest first. Errors: errs.Unavailable.
func (s *Service) Contacts(ctx context.Context, tenant, personID string) ([]Contact, error) {
	return contacts(ctx, s.d.Store, tenant, personID)
}

func contacts(ctx context.Context, st Store, tenant, personID string) (out []Contact, err error) {
	factors, err := st.Factors(ctx, tenant, personID)
	for _, f := range factors {
		if c, ok := f.contact(); ok {
			out = append(out, c)
		}
	}
	return out, err
}

// addressCode gives the six digits that show that somebody reads what is sent to an
// address.
func (s *Service) addressCode(tenant string, c Contact) string {
	sum := s.d.Hasher.At(c.Added).Sum("contact-code", tenant+"|"+c.ID+"|"+c.Address)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum)%1_000_000)
}

// AddContact sends a code to an address, which takes the place of one that waits for
// its code. Five codes a day are sent for a person. Errors: errs.Invalid with code
// contact-address; errs.RateLimited with code too-many-tries; errs.Unauthenticated with
// code session-ended or step-up-needed; errs.Unavailable.
func (s *Service) AddContact(ctx context.Context, tenant, secret, address string, m Meta) error {
	at, err := mail.ParseAddress(strings.TrimSpace(address))
	if err != nil || at.Name != "" || len(at.Address) > longestContact {
		return errs.New(errs.Invalid, "contact-address", "This is no e-mail address.")
	}
	now := s.now()
	limit := keyed{key: "contact-sent:", Limit: Limit{Tries: 5, Window: 24 * time.Hour}}
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		who, err := s.manage(ctx, tx, tenant, secret, now)
		if err != nil {
			return err
		}
		n, err := tx.CountFailure(ctx, tenant, limit.key+who.person.ID, now, limit.Window)
		if err != nil {
			return err
		}
		if n > limit.Tries {
			return s.tooMany(limit.Window)
		}
		if err := s.dropContacts(ctx, tx, who, func(c Contact) bool { return c.Verified.IsZero() }); err != nil {
			return err
		}
		c := Contact{ID: s.d.IDs.ID(), Address: at.Address, Added: now, Ends: now.Add(contactLife)}
		f, err := c.factor(tenant, who.person.ID)
		if err != nil {
			return err
		}
		if err := tx.AddFactor(ctx, f); err != nil {
			return err
		}
		return tx.AddNotice(ctx, outbox.Notice{
			Tenant: tenant, ID: s.d.IDs.ID(), PersonID: who.person.ID, Template: NoticeContact, Created: now,
			Args: map[string]string{"to": c.Address, "code": s.addressCode(tenant, c), "lang": who.person.Language},
		})
	})
}

func (s *Service) dropContacts(ctx context.Context, tx Tx, who manager, which func(Contact) bool) error {
	for _, f := range who.factors {
		c, ok := f.contact()
		if !ok || !which(c) {
			continue
		}
		if _, err := tx.RemoveFactor(ctx, f.Tenant, f.ID); err != nil {
			return err
		}
	}
	return nil
}

// ConfirmContact takes the code that was sent. The address is written to after
// ContactCooling; the person is told at the one before, and may take the new one away
// until then. Five codes are looked at. Errors: errs.Unauthenticated with code
// code-refused, session-ended or step-up-needed; errs.Unavailable.
func (s *Service) ConfirmContact(ctx context.Context, tenant, secret, code string, m Meta) error {
	now := s.now()
	var refused error
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		refused = errs.New(errs.Unauthenticated, "code-refused", "The code is not right or was used before.")
		who, err := s.manage(ctx, tx, tenant, secret, now)
		if err != nil {
			return err
		}
		for _, f := range who.factors {
			c, ok := f.contact()
			if !ok || !c.Verified.IsZero() || !now.Before(c.Ends) {
				continue
			}
			n, err := tx.CountFailure(ctx, tenant, "contact-code:"+c.ID, now, 24*time.Hour)
			if err != nil {
				return err
			}
			if n > 5 || !ids.Equal(s.addressCode(tenant, c), strings.ReplaceAll(strings.TrimSpace(code), " ", "")) {
				continue
			}
			refused = nil
			return s.verified(ctx, tx, who, c, m, now)
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	return err
}

func (s *Service) verified(ctx context.Context, tx Tx, who manager, c Contact, m Meta, now time.Time) error {
	c.Verified, c.Usable = now, now.Add(ContactCooling)
	f, err := c.factor(who.person.Tenant, who.person.ID)
	if err != nil {
		return err
	}
	if err := tx.PutFactor(ctx, f); err != nil {
		return err
	}
	if err := s.contactEvent(ctx, tx, audit.FactorAdded, who, c.ID, m, now); err != nil {
		return err
	}
	return s.noteSignIn(ctx, tx, who.person.Tenant, who.person.ID, "contact-changed", now)
}

// RemoveContact takes an address away; where it was the last one, people are written to
// at the address that their record has. Errors: errs.NotFound with code
// contact-not-found; errs.Unauthenticated as for AddContact; errs.Unavailable.
func (s *Service) RemoveContact(ctx context.Context, tenant, secret, id string, m Meta) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		who, err := s.manage(ctx, tx, tenant, secret, now)
		if err != nil {
			return err
		}
		found := false
		err = s.dropContacts(ctx, tx, who, func(c Contact) bool {
			found = found || c.ID == id
			return c.ID == id
		})
		if err != nil {
			return err
		}
		if !found {
			return errs.New(errs.NotFound, "contact-not-found", "There is no such address.")
		}
		if err := s.noteSignIn(ctx, tx, tenant, who.person.ID, "contact-changed", now); err != nil {
			return err
		}
		return s.contactEvent(ctx, tx, audit.FactorRemoved, who, id, m, now)
	})
}

func (s *Service) contactEvent(ctx context.Context, tx Tx, kind audit.Kind, who manager, id string, m Meta, now time.Time) error {
	e := s.event(kind, try{tenant: who.person.Tenant, meta: m}, who.person.ID, now)
	e.SessionID, e.Detail = who.session.Hash, map[string]string{"factor": id, "kind": string(FactorContact)}
	return tx.AppendAudit(ctx, e)
}
