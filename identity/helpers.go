package identity

import (
	"context"

	"github.com/mandate-health/mandate/fhir"
)

// helpedDevice reports whether the browser is known as that of somebody who helps
// with the record of the person: nobody gets into a patient's account for them.
func (s *Service) helpedDevice(ctx context.Context, st Devices, p Person, m Meta) (bool, error) {
	helpers, err := s.helpers(ctx, p)
	if err != nil {
		return false, err
	}
	for _, h := range helpers {
		if known, err := s.knows(ctx, st, p.Tenant, h, m); known || err != nil {
			return known, err
		}
	}
	return false, nil
}

// someone gives a person, or for nobody one about whom as much can be asked.
func someone(tenant string, p Person) Person {
	if p.ID == "" {
		p.Tenant, p.Identities = tenant, []Identity{{Resource: fhir.Reference{Type: "Patient", ID: "nobody"}, Patient: "nobody"}}
	}
	return p
}

func (s *Service) helpers(ctx context.Context, p Person) ([]string, error) {
	if s.d.Helpers == nil {
		return nil, nil
	}
	return s.d.Helpers(ctx, p)
}
