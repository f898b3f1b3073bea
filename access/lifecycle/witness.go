package lifecycle

import (
	"context"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// ownRecords begins the ids of the records that the life cycle writes itself.
const ownRecords = "case-"

// witness writes the records of each step of a case that has none yet (RS-07 …
// RS-09): the Task has as many versions as the case has steps.
func (s *Service) witness(ctx context.Context, tx Tx, c proxy.Case, a Actor) error {
	task, err := tx.EvidenceByID(ctx, s.Tenant, ownRecords+c.ID)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	for i := task.Version; i < len(c.Steps); i++ {
		if err := s.witnessStep(ctx, tx, c, i, a); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) witnessStep(ctx context.Context, tx Tx, c proxy.Case, i int, a Actor) error {
	step := c.Steps[i]
	by := party(step.By, a)
	errand := evidence.Errand{
		ID: ownRecords + c.ID, Patient: c.Patient, Relation: relation(c), Account: c.PersonID, Act: string(step.Act), State: string(step.To), Was: string(step.From),
		Reason: step.Reason, By: by, Began: c.Steps[0].At, At: step.At, Until: c.Terms.Until,
	}
	for _, id := range []string{c.ConsentID, c.Rested} {
		if id != "" {
			errand.Consents = append(errand.Consents, id)
		}
	}
	records := []func() (evidence.Record, error){errand.Task}
	switch step.Act {
	case proxy.ActProof, proxy.ActAdopt:
		if c.Proofed() {
			records = append(records, identityCheck(c, step, by, "validated").VerificationResult)
		}
	case proxy.ActAttest:
		records = append(records, paper(c, i, by).DocumentReference, authorityCheck(c, step, a, "attested").VerificationResult)
	case proxy.ActVerify:
		records = append(records, authorityCheck(c, step, a, "validated").VerificationResult)
	case proxy.ActReject:
		if step.From == proxy.StateRequested {
			break // nothing was checked yet
		}
		if c.Authority.Attested.Zero() {
			records = append(records, identityCheck(c, step, by, "val-fail").VerificationResult)
		} else {
			records = append(records, authorityCheck(c, step, a, "val-fail").VerificationResult)
		}
	case proxy.ActDetermine, proxy.ActRestore:
		found := evidence.Determination{ID: observation(c, i), Patient: c.Patient, By: by, At: step.At, Lacks: step.Act == proxy.ActDetermine}
		if found.Lacks {
			found.Review = c.Authority.Reviews
		}
		records = append(records, found.Observation)
	}
	if err := s.hold(ctx, tx, c, step, by); err != nil {
		return err
	}
	for _, make := range records {
		if err := s.keep(ctx, tx, make); err != nil {
			return err
		}
	}
	return nil
}

// keep stores a record of the life cycle as its next version, in the transaction
// of what it witnesses.
func (s *Service) keep(ctx context.Context, tx Tx, make func() (evidence.Record, error)) error {
	r, err := make()
	if err != nil {
		return err
	}
	last, err := tx.EvidenceByID(ctx, s.Tenant, r.ID)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	r.Tenant = s.Tenant
	if r, err = r.Next(last.Version, s.now()); err != nil {
		return err
	}
	return tx.PutEvidence(ctx, r, last.Version)
}

// hold keeps the Flag of a case in step with it (LC-12): every step after a pause
// for safety lifts it.
func (s *Service) hold(ctx context.Context, tx Tx, c proxy.Case, step proxy.Step, by evidence.Party) error {
	flag := evidence.Hold{ID: ownRecords + c.ID + "-hold", Patient: c.Patient, Active: true, By: by, Began: step.At}
	if step.To != proxy.StateSuspended || step.Reason != proxy.SafetyHold {
		last, err := tx.EvidenceByID(ctx, s.Tenant, flag.ID)
		if errs.Is(err, errs.NotFound) || err == nil && last.Status != "active" {
			return nil
		}
		if err != nil {
			return err
		}
		flag.Active, flag.Began, flag.Ended = false, last.Updated, step.At
	}
	return s.keep(ctx, tx, flag.Flag)
}

// party gives who did a step; of the actor the FHIR identity is known too. Nobody
// is the clock.
func party(account string, a Actor) evidence.Party {
	if account == "" || account != a.Person.ID {
		return evidence.Party{Account: account}
	}
	return evidence.Party{Account: account, Resource: professional(a.Person)}
}

// professional gives the Practitioner that an account is.
func professional(p identity.Person) fhir.Reference {
	for _, i := range p.Identities {
		if i.Verified && (i.Resource.Type == "Practitioner" || i.Resource.Type == "PractitionerRole") {
			return i.Resource
		}
	}
	return fhir.Reference{}
}

func relation(c proxy.Case) fhir.Reference {
	if c.RelationID == "" {
		return fhir.Reference{}
	}
	return fhir.Reference{Type: "RelatedPerson", ID: c.RelationID}
}

func observation(c proxy.Case, step int) string {
	return ownRecords + c.ID + "-capacity-" + strconv.Itoa(step)
}

func paper(c proxy.Case, step int, by evidence.Party) evidence.Document {
	return evidence.Document{
		ID: ownRecords + c.ID + "-paper-" + strconv.Itoa(step), Patient: c.Patient, Relation: relation(c), By: by,
		At: c.Steps[step].At, Kind: c.Authority.Kind,
	}
}

func identityCheck(c proxy.Case, step proxy.Step, by evidence.Party, status string) evidence.Check {
	how := []string{"in-person"}
	if status == "validated" {
		how = append([]string{c.Proofing.Method}, c.Proofing.Documents...)
	}
	return evidence.Check{
		ID: ownRecords + c.ID + "-identity", Patient: c.Patient, Relation: relation(c), Status: status, At: step.At, How: how,
		Attested: by, AttestedAt: step.At,
	}
}

func authorityCheck(c proxy.Case, step proxy.Step, a Actor, status string) evidence.Check {
	auth := c.Authority
	out := evidence.Check{
		ID: ownRecords + c.ID + "-authority", Patient: c.Patient, Relation: relation(c), Status: status, At: step.At, Kind: auth.Kind,
		How: []string{"original-seen"}, Attested: party(auth.Attested.By, a), AttestedAt: auth.Attested.At,
		Checked: evidence.Party{}, Next: auth.Reviews,
	}
	if i := last(c, proxy.ActAttest); i >= 0 {
		out.Document = evidence.TypeDocument + "/" + paper(c, i, evidence.Party{}).ID
	}
	for _, id := range auth.Files {
		out.Files = append(out.Files, evidence.TypeDocument+"/"+id)
	}
	out.How = append(out.How, auth.Seen...)
	if status != "attested" {
		out.Checked, out.CheckedAt = party(step.By, a), step.At
	}
	return out
}

// last gives the index of the newest step of an act, -1 without one.
func last(c proxy.Case, act proxy.Act) int {
	for i := len(c.Steps) - 1; i >= 0; i-- {
		if c.Steps[i].Act == act {
			return i
		}
	}
	return -1
}

// witnessOf says on what a Consent that the life cycle files rests (PV-01, PV-04,
// PV-05): who signed and who checked, with the records of it.
func witnessOf(c proxy.Case, a Actor) consent.Witness {
	out := consent.Witness{Purpose: purpose(c)}
	if a.Agreed != nil {
		out.Sources, out.Channel = append(out.Sources, a.Agreed.reference().String()), evidence.Online
	}
	if c.Proofed() {
		out.Sources = append(out.Sources, evidence.TypeVerification+"/"+ownRecords+c.ID+"-identity")
	}
	if c.Basis == proxy.BasisDesignated {
		patient := evidence.Party{Resource: fhir.Reference{Type: "Patient", ID: c.Patient}, Account: c.Confirmed.By}
		out.Agents = []evidence.Agent{{Type: "author", Role: evidence.RoleOf(""), Party: patient}}
		out.Signed = a.Person.ID != "" && a.Person.ID == c.Confirmed.By
		return out
	}
	out.Agents = append(signers(c),
		evidence.Agent{Type: "attester", Party: party(c.Authority.Attested.By, a)},
		evidence.Agent{Type: "verifier", Party: party(c.Authority.Checked.By, a)})
	// Who signs by an instrument signs on the page where there was one.
	out.Signed = a.Agreed != nil && slices.ContainsFunc(signers(c), func(by evidence.Agent) bool { return by.Account == a.Person.ID })
	if i := last(c, proxy.ActAttest); i >= 0 {
		out.Sources = append(out.Sources, evidence.TypeDocument+"/"+paper(c, i, evidence.Party{}).ID)
	}
	out.Sources = append(out.Sources, evidence.TypeVerification+"/"+ownRecords+c.ID+"-authority")
	for n, found := range c.Determined {
		// Two clinicians activate: one attests, the other verifies.
		as := "attester"
		if n > 0 {
			as = "verifier"
		}
		out.Agents = append(out.Agents, evidence.Agent{Type: as, Party: party(found.By, a)})
	}
	for i, step := range c.Steps {
		if step.Act == proxy.ActDetermine && determined(c, step) {
			out.Sources = append(out.Sources, evidence.TypeObservation+"/"+observation(c, i))
		}
	}
	return out
}

// signers are who signs where an instrument stands behind: the representative, or the
// teenager first and then the parent (FX-33).
func signers(c proxy.Case) []evidence.Agent {
	by := evidence.Agent{Type: "author", Role: evidence.RoleOf(c.Authority.Kind), ForPatient: true, Party: evidence.Party{Resource: relation(c), Account: c.PersonID}}
	if c.Confirmed.Zero() || c.Ward.Band(c.Steps[len(c.Steps)-1].At) != proxy.BandTeen {
		return []evidence.Agent{by}
	}
	patient := evidence.Party{Resource: fhir.Reference{Type: "Patient", ID: c.Patient}, Account: c.Confirmed.By}
	out := []evidence.Agent{{Type: "author", Role: evidence.RoleOf(""), Party: patient}}
	if !c.Cosigned.Zero() {
		out = append(out, by)
	}
	return out
}

// determined reports whether a step is one of the determinations that hold.
func determined(c proxy.Case, step proxy.Step) bool {
	for _, d := range c.Determined {
		if d.By == step.By && d.At.Equal(step.At) {
			return true
		}
	}
	return false
}

// human writes who an account is across records (RS-01): proofed in person is
// level 3, unproofed level 1.
func (s *Service) human(ctx context.Context, tx Tx, p identity.Person) error {
	h := evidence.Human{ID: "person-" + p.ID, Account: p.ID, Name: p.Name, Active: !p.Disabled}
	if !fhir.ValidID(h.ID) {
		// An account of another system's making is known by what links to it.
		return nil
	}
	for _, i := range p.Identities {
		switch i.Resource.Type {
		case "Patient", "RelatedPerson", "Practitioner", "Person":
			l := evidence.Link{Target: i.Resource, Level: 1}
			if i.Verified {
				l.Level = 3
			}
			h.Links = append(h.Links, l)
		}
	}
	return s.keep(ctx, tx, h.Person)
}
