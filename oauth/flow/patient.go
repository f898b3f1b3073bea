package flow

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// Choice is one acting capacity that the person may take for this request.
type Choice struct {
	Capacity fhir.Capacity
	Patient  upstream.Demographics
	// Until is when the right to act ends; zero when it does not.
	Until time.Time
	// Token is what the form posts for this choice; it means nothing
	// elsewhere.
	Token string
}

// SearchLimit is how many patients a clinician's search lists.
const SearchLimit = 20

// Choices gives the capacities the signed-in person may take: the own record,
// each patient with at least one permit now (SC-11), and for a practitioner
// the patient of the launch or, when search is true, the patients found by
// name. Errors: *Refusal when the launch was made for somebody else;
// errs.Upstream, errs.Unavailable.
func (s *Service) Choices(ctx context.Context, p oauth.Pending, who Visitor, name string) (choices []Choice, search bool, err error) {
	launched, err := s.launched(ctx, p)
	if err != nil {
		return nil, false, err
	}
	return s.choices(ctx, p, launched, who, name)
}

// madeForAnother reports whether the EHR launched the app for somebody else.
func madeForAnother(p oauth.Pending, who Visitor) bool {
	return !p.LaunchUser.IsZero() && !hasIdentity(who.Person, p.LaunchUser)
}

func (s *Service) choices(ctx context.Context, p oauth.Pending, launched oauth.Context, who Visitor, name string) (choices []Choice, search bool, err error) {
	if madeForAnother(p, who) {
		return nil, false, s.refusePending(ctx, p, who, errs.New(errs.AccessDenied, "launch-for-other-person", "The launch was made for another person than the one who signed in."))
	}
	// Only the launch fixes the patient: a choice made before may be changed.
	p.Context = launched
	for _, id := range who.Person.Identities {
		if !id.Verified {
			continue
		}
		var found []Choice
		switch id.Resource.Type {
		case "Patient":
			found, err = s.ownRecord(ctx, id)
		case "RelatedPerson":
			found, err = s.asProxy(ctx, p.Tenant, id)
		case "Practitioner":
			var more bool
			found, more, err = s.asPractitioner(ctx, p, id, name)
			search = search || more
		}
		if err != nil {
			return nil, false, err
		}
		choices = append(choices, found...)
	}
	if p.Context.Patient != "" {
		choices = slices.DeleteFunc(choices, func(c Choice) bool { return c.Capacity.Patient != p.Context.Patient })
	}
	for i := range choices {
		c := choices[i].Capacity
		choices[i].Token = s.Hasher.At(p.Created).Hash("choice", p.ID+"|"+string(c.Kind)+"|"+c.Acting.String()+"|"+c.Patient+"|"+c.Purpose)
	}
	return choices, search, nil
}

func hasIdentity(p identity.Person, ref fhir.Reference) bool {
	return slices.ContainsFunc(p.Identities, func(id identity.Identity) bool { return id.Verified && id.Resource == ref })
}

func (s *Service) ownRecord(ctx context.Context, id identity.Identity) ([]Choice, error) {
	d, err := s.Record.Patient(ctx, id.Resource.ID)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []Choice{{Patient: d, Capacity: fhir.Capacity{
		Kind: fhir.CapacitySelf, Acting: id.Resource, Patient: id.Resource.ID, Purpose: "PATRQT",
	}}}, nil
}

// asProxy gives one choice per purpose under which the patient's consents
// permit something now: never the union of two capacities (WM-13).
func (s *Service) asProxy(ctx context.Context, tenant string, id identity.Identity) ([]Choice, error) {
	rp, err := s.Read.RelatedPersonByID(ctx, tenant, id.Resource.ID)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	access, err := s.Authority.AccessOf(ctx, rp)
	if err != nil || len(access) == 0 {
		return nil, err
	}
	d, err := s.Record.Patient(ctx, rp.Patient)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Choice
	for _, a := range access {
		out = append(out, Choice{Capacity: a.Capacity, Patient: d, Until: a.Until})
	}
	return out, nil
}

// asPractitioner gives the launch's patient, or the patients found by name.
// search is true when a patient is needed and none is fixed yet.
func (s *Service) asPractitioner(ctx context.Context, p oauth.Pending, id identity.Identity, name string) (out []Choice, search bool, err error) {
	capacity := fhir.Capacity{Kind: fhir.CapacityPractitioner, Acting: id.Resource, Purpose: "TREAT"}
	var patients []upstream.Demographics
	switch {
	case p.Context.Patient != "":
		d, err := s.Record.Patient(ctx, p.Context.Patient)
		if errs.Is(err, errs.NotFound) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		patients = []upstream.Demographics{d}
	case !needsPatient(asked(p)):
		return []Choice{{Capacity: capacity}}, false, nil
	default:
		if patients, _, err = s.Record.FindPatients(ctx, name, SearchLimit); err != nil {
			return nil, false, err
		}
		search = true
	}
	for _, d := range patients {
		c := capacity
		c.Patient = d.ID
		out = append(out, Choice{Capacity: c, Patient: d})
	}
	return out, search, nil
}

// Choose takes the person's choice. The posted token is checked against the
// choices as they are now, so nothing can be chosen that was not offered
// (CTX-20). Errors: errs.Invalid for a choice that is not (or no longer)
// offered.
func (s *Service) Choose(ctx context.Context, p oauth.Pending, who Visitor, token, name string) (oauth.Pending, error) {
	launched, err := s.launched(ctx, p)
	if err != nil {
		return p, err
	}
	choices, _, err := s.choices(ctx, p, launched, who, name)
	if err != nil {
		return p, err
	}
	for _, c := range choices {
		if token != "" && c.Token == token {
			if err := s.take(ctx, &p, c, launched); err != nil {
				return p, err
			}
			return s.save(ctx, p)
		}
	}
	return p, errs.New(errs.Invalid, "choice-not-offered", "This record is not among the choices.")
}
