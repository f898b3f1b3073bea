package proxy

import (
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Adopted is what is known of a relation that was there before its case: imported, or
// filed through FHIR.
type Adopted struct {
	// Relation is the RelatedPerson, Person the account that is linked to it; Proofed
	// says that the link was verified when it was made.
	Relation, Person string
	Proofed          bool
	// Name and Relationship are those of the account and the relation.
	Name, Relationship string
	// Consent is the grant that holds, "" for none; Terms and Agreed are what it says
	// and when, Performer who agreed.
	Consent, Performer string
	Terms              Terms
	Agreed             time.Time
}

// Adopt begins the case of a relation from before, where its Consent shows that it
// stands: with a grant that holds and a proofed account it is active. A grant without
// an end, or with one later than twelve months ahead, gets an end by then: the case
// asks for a renewal as for any other. Errors: errs.Conflict with code
// proxy-adopt-unproofed for a grant to an account that nobody proofed.
func Adopt(in Adopted, tenant, id, patient string, by Signed) (Case, error) {
	c := Case{
		Tenant: tenant, ID: id, Patient: patient, PersonID: in.Person, State: StateAccount, Basis: BasisDesignated, Updated: by.At,
		Name: in.Name, Relationship: in.Relationship, Invited: by, RelationID: in.Relation,
	}
	if in.Proofed {
		c.State, c.Proofing = StateProofed, Proofing{Signed: by, Method: MethodBefore}
	}
	if in.Consent != "" {
		if !in.Proofed {
			return Case{}, errs.New(errs.Conflict, "proxy-adopt-unproofed", "Nobody has checked who this account is.")
		}
		c.State, c.ConsentID, c.Terms = StateActive, in.Consent, in.Terms
		c.Confirmed, c.Starts = Signed{By: in.Performer, At: in.Agreed}, in.Agreed
		if latest := by.At.AddDate(0, LongestMonths, 0); c.Terms.Until.IsZero() || c.Terms.Until.After(latest) {
			c.Terms.Until = latest
		}
	}
	c.Steps = []Step{{Act: ActAdopt, To: c.State, Signed: by, Reason: "from-before"}}
	return c, nil
}
