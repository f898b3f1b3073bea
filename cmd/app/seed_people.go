package app

import (
	"context"
	"encoding/base32"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// demoPerson is one person of the demonstration with the credentials that the
// ready file and the start message tell.
type demoPerson struct {
	username   string
	name       string
	role       identity.Role
	identities []identity.Identity
	language   string
}

func patientOf(id string) identity.Identity {
	return identity.Identity{Resource: fhir.Reference{Type: "Patient", ID: id}, Patient: id, Verified: true}
}

func relatedTo(patient, id string) identity.Identity {
	return identity.Identity{Resource: fhir.Reference{Type: "RelatedPerson", ID: id}, Patient: patient, Verified: true}
}

func practitioner(id string) identity.Identity {
	return identity.Identity{Resource: fhir.Reference{Type: "Practitioner", ID: id}, Verified: true}
}

// demoPeople are the people of the palliative-care story.
func demoPeople() []demoPerson {
	return []demoPerson{
		{"rosa", "Rosa Alvarez", identity.RolePatient, []identity.Identity{patientOf("rosa")}, "en"},
		{"noah", "Noah Whitfield", identity.RolePatient, []identity.Identity{patientOf("noah")}, "en"},
		{"joaquin", "Joaquin Alvarez", identity.RolePatient, []identity.Identity{patientOf("joaquin")}, "es"},
		{"elena", "Elena Alvarez", identity.RoleProxy, []identity.Identity{relatedTo("rosa", "rosa-elena"), relatedTo("joaquin", "joaquin-elena"), patientOf("elena-own")}, "en"},
		{"tomas", "Tomas Alvarez", identity.RoleProxy, []identity.Identity{relatedTo("rosa", "rosa-tomas")}, "es"},
		{"marcus", "Marcus Alvarez", identity.RoleProxy, []identity.Identity{relatedTo("rosa", "rosa-marcus")}, "en"},
		{"victor", "Victor Brandt", identity.RoleProxy, []identity.Identity{relatedTo("rosa", "rosa-victor")}, "en"},
		{"ines", "Ines Moreno", identity.RoleProxy, []identity.Identity{relatedTo("rosa", "rosa-ines")}, "en"},
		{"dana", "Dana Whitfield", identity.RoleProxy, []identity.Identity{relatedTo("noah", "noah-dana")}, "en"},
		{"hale", "Dr. Hale", identity.RoleClinician, []identity.Identity{practitioner("dr-hale")}, "en"},
		{"osei", "Dr. Osei", identity.RoleClinician, []identity.Identity{practitioner("dr-osei")}, "en"},
		{"admin", "Ada Admin", identity.RoleAdmin, nil, "en"},
	}
}

// password of a demo person: known to everybody, hence development only.
func (p demoPerson) password() string { return p.username + "-demo-password" }

// totpSecret gives a fixed secret, so that an authenticator app stays set up
// between runs; empty for those who may use a password alone.
func (p demoPerson) totpSecret() string {
	if !p.role.NeedsSecondFactor() {
		return ""
	}
	raw := (p.username + strings.Repeat("-mandate-demo", 2))[:20]
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(raw))
}

// fhirUser gives the resource by which a person is known first.
func (p demoPerson) fhirUser() string {
	if len(p.identities) == 0 {
		return ""
	}
	return p.identities[0].Resource.String()
}

// patients lists the patients a person may act for.
func (p demoPerson) patients() []string {
	out := []string{}
	for _, id := range p.identities {
		if id.Patient != "" {
			out = append(out, id.Patient)
		}
	}
	return out
}

// seedPeople makes the demo accounts that do not exist yet.
func seedPeople(ctx context.Context, svc *identity.Service, tenant string) error {
	for _, p := range demoPeople() {
		_, err := svc.CreateAccount(ctx, identity.NewAccount{
			Person: identity.Person{
				Tenant: tenant, ID: "demo-" + p.username, Username: p.username, Name: p.name,
				Role: p.role, Language: p.language, Identities: p.identities,
			},
			Password: p.password(), PasswordHash: demoHash(p.username), TOTPSecret: p.totpSecret(),
		})
		if err != nil && !errs.Is(err, errs.Conflict) {
			return err
		}
	}
	return nil
}
