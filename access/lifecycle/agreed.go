package lifecycle

import (
	"context"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/ids"
)

// Agreement is a page on which somebody agrees or takes back, with the Consents that
// come of it (RS-06). One serves one step. A nil one is a step without a page.
type Agreement struct {
	shown evidence.Shown
	id    string
	// about are the Consents that were filed or ended in this try of the transaction.
	about []consent.Record
}

// Agreed makes the Agreement of what was shown and answered.
func Agreed(shown evidence.Shown) *Agreement { return &Agreement{shown: shown} }

// begin forgets what an earlier try of the transaction noted.
func (g *Agreement) begin(source ids.Source) {
	if g != nil {
		g.id, g.about = ownRecords+source.ID()+"-agreed", nil
	}
}

// note notes a Consent that was filed or ended.
func (g *Agreement) note(rec consent.Record) {
	if g != nil && rec.ID != "" {
		g.about = append(g.about, rec)
	}
}

// reference names the record of it, zero without a page.
func (g *Agreement) reference() fhir.Reference {
	if g == nil {
		return fhir.Reference{}
	}
	return fhir.Reference{Type: evidence.TypeCeremony, ID: g.id}
}

// witness says for a Provenance that the actor says so on the page (PV-01, PV-03).
func (g *Agreement) witness(patient string, a Actor) consent.Witness {
	if g == nil {
		return consent.Witness{}
	}
	by := evidence.Agent{Type: "author", Role: evidence.RoleOf(""), Party: partyTo(patient, a.Person)}
	if by.Resource.Type == "RelatedPerson" {
		by.Role, by.ForPatient = evidence.RoleOf("RESPRSN"), true
	}
	return consent.Witness{
		Agents: []evidence.Agent{by}, Sources: []string{g.reference().String()}, Purpose: "PATRQT", Channel: evidence.Online, Signed: true,
	}
}

// partyTo gives a person as the patient, or as who stands beside the patient.
func partyTo(patient string, p identity.Person) evidence.Party {
	out := evidence.Party{Account: p.ID}
	if own(p) == patient {
		out.Resource = fhir.Reference{Type: "Patient", ID: patient}
		return out
	}
	for _, i := range p.Identities {
		if i.Verified && i.Resource.Type == "RelatedPerson" && i.Patient == patient {
			out.Resource = i.Resource
		}
	}
	return out
}

// agreeing runs a step in a transaction, and keeps what was shown and answered beside
// the Consents that it files or ends, which are about one patient. Without any nothing
// is kept. Errors: of the step.
func (s *Service) agreeing(ctx context.Context, a Actor, step func(Tx) error) error {
	return s.Tx.InTx(ctx, func(tx Tx) error {
		a.Agreed.begin(s.IDs)
		if err := step(tx); err != nil || a.Agreed == nil || len(a.Agreed.about) == 0 {
			return err
		}
		patient := a.Agreed.about[0].Patient
		c := evidence.Ceremony{
			ID: a.Agreed.id, Patient: patient, Shown: a.Agreed.shown, By: partyTo(patient, a.Person), At: s.now(),
		}
		for _, rec := range a.Agreed.about {
			c.Consents = append(c.Consents, rec.ID)
		}
		return s.keep(ctx, tx, c.QuestionnaireResponse)
	})
}
