package lifecycle

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// How a patient says something to staff, each a v3-ParticipationMode.
const (
	InPerson = "FACE"
	ByPhone  = "PHONE"
	OnPaper  = "WRITTEN"
)

// Channels lists them.
func Channels() []string { return []string{InPerson, ByPhone, OnPaper} }

// Dictation is how the patient told staff what they do in the patient's name (PV-03).
type Dictation struct {
	// Channel is one of Channels.
	Channel string
	// Verification is the id of the event by which the caller was verified; needed for
	// ByPhone.
	Verification string
}

// witness says for a Provenance that the patient decided, and how staff know.
func (d Dictation) witness(patient string) consent.Witness {
	out := consent.Witness{
		Agents:  []evidence.Agent{{Type: "author", Role: evidence.RoleOf(""), Party: evidence.Party{Resource: fhir.Reference{Type: "Patient", ID: patient}}}},
		Purpose: "PATRQT", Channel: d.Channel,
	}
	if d.Verification != "" {
		out.Sources = []string{"AuditEvent/" + d.Verification}
	}
	return out
}

// RevokeFor is Revoke by staff, to whom the patient said so without a page (LC-10). The
// patient is told, so that nobody ends an access in the patient's name unseen. Errors:
// those of ForStaff; errs.Invalid with code proxy-channel; errs.Forbidden with code
// proxy-dictated for an access that does not rest on the patient's word.
func (s *Service) RevokeFor(ctx context.Context, a Actor, id string, d Dictation, quiet bool) (proxy.Case, error) {
	if !slices.Contains(Channels(), d.Channel) || d.Channel == ByPhone && d.Verification == "" {
		return proxy.Case{}, errs.New(errs.Invalid, "proxy-channel", "Say how the patient told you.")
	}
	a.Dictated = &d
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) {
			if c.Basis != proxy.BasisDesignated {
				return c, errs.New(errs.Forbidden, "proxy-dictated", "This access rests on a legal paper and not on the patient's word alone.")
			}
			return c.Revoke(s.signed(a), proxy.ByPatient)
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.sever(ctx, tx, c, a); err != nil {
				return err
			}
			if err := s.tellPatient(ctx, tx, *c, "proxy.ended"); err != nil || quiet {
				return err
			}
			return s.tell(ctx, tx, *c, "proxy.changed")
		})
}
