package identity

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// BedsideLife is how long an enrolment at the bedside may take, and for how long
	// after it the recovery codes can be shown.
	BedsideLife = 15 * time.Minute
	// bedsideBytes are 40 bits of a code that lives for minutes and is guessed at most
	// bedsideGuesses times.
	bedsideBytes = 5
	bedsideChars = 8
	// NoticeBedside is the template of the message to all addresses of a person for
	// whom something was set up at the bedside.
	NoticeBedside    = "account-bedside"
	purposeBedside   = "passkey-bedside"
	reasonBedside    = "bedside"
	bedsideWitnesses = 2
)

// What may be begun and guessed.
var (
	bedsidePerWitness = Limit{Tries: 10, Window: 24 * time.Hour}
	bedsidePerPatient = Limit{Tries: 5, Window: 24 * time.Hour}
	bedsideGuesses    = Limit{Tries: 30, Window: 15 * time.Minute}
)

// BedsideWays are how staff may make sure, in person, who a patient is.
func BedsideWays() []string {
	return []string{"wristband", "photo-id", "known-to-team", "documents"}
}

// Bedside is an enrolment of a patient before a witness (SM-24, NIST 800-63A trusted
// referee). Nobody but the patient's device ever holds what is enrolled.
type Bedside struct {
	// Seed is what the code and the numbers are made of, with a key.
	Seed string
	// Patient is the logical id of the record, Name how the account calls the patient.
	Patient, Name string
	// Needs is how many witnesses there have to be.
	Needs     int
	Witnesses []Witness
	// Factor waits for the witnesses; Shared says that others use the device.
	Factor Factor `json:",omitzero"`
	Shared bool
	// Codes is when recovery codes were shown, zero before.
	Codes time.Time `json:",omitzero"`
}

// Witness is one of the staff who checked in person who a patient is.
type Witness struct {
	PersonID, Name string
	// Session is the hash of the first row of the session, Browser that of its browser.
	Session, Browser string
	// How is one of BedsideWays.
	How string
	// Said is when that was said, Confirmed when the number was typed.
	Said      time.Time
	Confirmed time.Time `json:",omitzero"`
}

// Witnessing is one of the staff who acts now. The caller has made sure that they care
// for patients and that it is not about themself.
type Witnessing struct {
	By Person
	// Session is the hash of the session.
	Session string
	How     string
}

// BedsidePlan says how many witnesses an enrolment needs: two where there is a way into
// the account already, since one of the staff alone must not open it, and for people
// at particular risk. Errors: errs.Forbidden with code bedside-closed for an account
// that is closed, bedside-recovery for one that has to go the way of recovery: of
// staff and of those who help others, and of people at risk who have a second factor.
func BedsidePlan(p Person, all []Factor) (int, error) {
	second := slices.ContainsFunc(all, func(f Factor) bool { return f.Kind.Second() })
	opens := second || slices.ContainsFunc(all, func(f Factor) bool { return f.Kind == FactorPassword || f.Kind == FactorUpstream })
	switch {
	case p.Disabled:
		return 0, errs.New(errs.Forbidden, "bedside-closed", "This account is closed.")
	case p.Role != RolePatient || p.HighRisk && second:
		return 0, errs.New(errs.Forbidden, "bedside-recovery", "This account is opened again by the recovery queue only.")
	case opens || p.HighRisk:
		return bedsideWitnesses, nil
	}
	return 1, nil
}

// confirmed reports whether all witnesses there have to be typed their number.
func (b Bedside) confirmed() bool {
	return len(b.Witnesses) >= b.Needs && !slices.ContainsFunc(b.Witnesses, func(w Witness) bool { return w.Confirmed.IsZero() })
}

// Names gives the witnesses, the first one first.
func (b Bedside) Names() (out []string) {
	for _, w := range b.Witnesses {
		out = append(out, w.Name)
	}
	return out
}

// foldBedside gives the form in which codes are compared, "" for what cannot be one.
func foldBedside(typed string) string {
	s := strings.NewReplacer(" ", "", "-", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
	if len(s) != bedsideChars {
		return ""
	}
	return s
}

// BedsideCode gives the code that the patient's device has to type. It is stored as a
// keyed hash only.
func (s *Service) BedsideCode(t Ticket) string {
	code := s.bedsideCode(t.Bedside.Seed, t.Created)
	return code[:bedsideChars/2] + "-" + code[bedsideChars/2:]
}

func (s *Service) bedsideCode(seed string, made time.Time) string {
	return recoveryAlphabet().EncodeToString(s.d.Hasher.At(made).Sum("bedside-code", seed)[:bedsideBytes])
}

func (s *Service) bedsideID(folded string) string { return s.d.Hasher.Hash("bedside", folded) }

func (s *Service) bedsideDevice(binding string) string {
	return s.d.Hasher.Hash("bedside-device", binding)
}

// BedsideNumber gives the six digits that the patient's device shows for a witness, 0
// for the first one.
func (s *Service) BedsideNumber(t Ticket, witness int) string {
	sum := s.d.Hasher.At(t.Created).Sum("bedside-number", strings.Join([]string{t.Bedside.Seed, t.Bedside.Factor.ID, strconv.Itoa(witness)}, "|"))
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum)%numberRange)
}

// BedsideQR draws the link that leads to the code. Errors: errs.Internal.
func (s *Service) BedsideQR(link string) ([]byte, error) { return s.d.Codes.QR(link) }

// root names a session through its step-ups.
func root(v Session) string { return cmp.Or(v.Family, v.Hash) }

func bedsideOver() error {
	return errs.New(errs.NotFound, "bedside-over", "This is over. It was finished, stopped, or took too long.")
}

// present reports whether the session of a witness still lives: an enrolment does not
// outlast it.
func (s *Service) present(ctx context.Context, st Ports, tenant string, b Bedside, now time.Time) (bool, error) {
	for _, w := range b.Witnesses {
		live, err := st.SessionsOfPerson(ctx, tenant, w.PersonID, now)
		if err != nil {
			return false, err
		}
		if !w.Confirmed.IsZero() {
			continue // who has confirmed may go
		}
		if !slices.ContainsFunc(live, func(v Session) bool { return root(v) == w.Session }) {
			return false, nil
		}
	}
	return true, nil
}

// bedside gives an enrolment that still runs, and whose account it is. Errors:
// errs.NotFound with code bedside-over.
func (s *Service) bedside(ctx context.Context, st Ports, tenant, id string, now time.Time) (Ticket, Person, error) {
	t, err := st.TicketByID(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) || err == nil && (t.Kind != TicketBedside || t.Bedside == nil || !now.Before(t.Ends)) {
		return Ticket{}, Person{}, bedsideOver()
	}
	if err != nil {
		return Ticket{}, Person{}, err
	}
	p, err := st.PersonByID(ctx, tenant, t.PersonID)
	if err != nil {
		return Ticket{}, Person{}, err
	}
	if p.Disabled {
		return Ticket{}, Person{}, bedsideOver()
	}
	if t.State.Pending() {
		here, err := s.present(ctx, st, tenant, *t.Bedside, now)
		if err != nil {
			return Ticket{}, Person{}, err
		}
		if !here {
			return Ticket{}, Person{}, bedsideOver()
		}
	}
	return t, p, nil
}

// bedsideEvent records a step of staff, or of the device of the patient where by is
// empty; with a reason it failed.
func (s *Service) bedsideEvent(ctx context.Context, tx Tx, t Ticket, by Witnessing, what, reason string, m Meta, now time.Time) error {
	who := t.PersonID
	if by.By.ID != "" {
		who = by.By.ID
	}
	e := s.event(audit.BedsideStep, try{tenant: t.Tenant, meta: m}, who, now)
	e.SessionID, e.Reason = by.Session, reason
	e.Detail = map[string]string{"step": what, "account": t.PersonID}
	if reason != "" {
		e.Outcome = audit.MinorFailure
	}
	if b := t.Bedside; b != nil {
		e.Patient = b.Patient
		e.Detail["enrolment"] = b.Seed
		for i, w := range b.Witnesses {
			n := strconv.Itoa(i + 1)
			e.Detail["witness"+n], e.Detail["how"+n] = w.PersonID, w.How
		}
		if b.Factor.Kind != "" {
			e.Detail["factor"] = string(b.Factor.Kind)
		}
	}
	return tx.AppendAudit(ctx, e)
}
