package consent

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
)

// Witness is what a version of a Consent rests on beside who presses the button
// (PV-01, PV-04, PV-05).
type Witness struct {
	// Agents are who signed, attested and verified; nil takes the performers of the
	// Consent as its authors.
	Agents []evidence.Agent
	// Sources are evidence, such as an Observation or a DocumentReference.
	Sources []string
	// Purpose is a v3-ActReason.
	Purpose string
	// Channel is the v3-ParticipationMode by which it was said; may be empty.
	Channel string
	// Signed says that the authors agreed to just this version.
	Signed bool
}

// keep stores a version with its event and its Provenance: no version without both.
func (s *Service) keep(ctx context.Context, tx Tx, rec Record, origin audit.Event, kind audit.Kind, w Witness) error {
	if err := tx.PutConsent(ctx, rec, rec.Version-1); err != nil {
		return err
	}
	if err := s.witness(ctx, tx, rec, origin, kind, w); err != nil {
		return err
	}
	action := "U"
	if rec.Version == 1 {
		action = "C"
	}
	return tx.AppendAudit(ctx, event(origin, kind, action, rec))
}

// witness writes the Provenance of a version (RS-11). What records the approval of
// an app tells that itself, and is part of each code flow (SC-20).
func (s *Service) witness(ctx context.Context, tx evidence.Keeper, rec Record, origin audit.Event, kind audit.Kind, w Witness) error {
	if rec.Kind == KindAppApproval || rec.Patient == "" {
		return nil
	}
	change := evidence.Change{
		ID: s.deps.IDs.ID(), Patient: rec.Patient, Target: fhir.Reference{Type: "Consent", ID: rec.ID}, Version: rec.Version, At: rec.Updated,
		Purpose: w.Purpose, Channel: w.Channel, Sources: w.Sources, Signed: w.Signed,
	}
	if s.deps.Signer != nil {
		seal, err := s.deps.Signer.SignRecord(ctx, rec.Tenant, rec.JSON)
		if err != nil {
			return err
		}
		change.Seal, change.Tenant = seal, rec.Tenant
	}
	if change.Agents = w.Agents; change.Agents == nil && kind == audit.ConsentFiled {
		change.Agents = authors(rec)
	}
	change.Agents = append(change.Agents[:len(change.Agents):len(change.Agents)], evidence.Agent{
		Type: "enterer", Party: evidence.Party{Resource: origin.Capacity.Acting, Account: origin.PersonID, Client: origin.ClientID},
	})
	provenance, err := change.Provenance()
	if err != nil {
		return err
	}
	provenance.Tenant = rec.Tenant
	if provenance, err = provenance.Next(0, rec.Updated); err != nil {
		return err
	}
	return tx.PutEvidence(ctx, provenance, 0)
}

// authors are the performers of a Consent: the patient, or who signs for the
// patient.
func authors(rec Record) (out []evidence.Agent) {
	// What cannot be parsed names no author.
	c, err := Parse(rec.JSON)
	if err != nil {
		return nil
	}
	for _, p := range c.Performers {
		a := evidence.Agent{Type: "author", Party: evidence.Party{Resource: p}}
		switch p.Type {
		case "Patient":
			a.Role = evidence.RoleOf("")
		case "RelatedPerson":
			a.Role, a.ForPatient = evidence.RoleOf("RESPRSN"), true
		}
		out = append(out, a)
	}
	return out
}

// filed gives the kind of the event of a filing: one that ends a Consent is a
// withdrawal (LC-10, FA-02).
func filed(rec Record) audit.Kind {
	switch rec.Status {
	case "inactive", "rejected", "entered-in-error":
		if rec.Version > 1 {
			return audit.ConsentWithdrawn
		}
	}
	return audit.ConsentFiled
}
