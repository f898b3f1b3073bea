package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/directory"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// directories: a directory sees staff and nobody else, finds them by its own names,
// which no two share, and of two changes at once one wins.
func directories(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const house = "staffed"
	at := noon()
	person := func(id string, role identity.Role, refs ...fhir.Reference) identity.Person {
		t.Helper()
		at = at.Add(time.Second)
		p := identity.Person{Tenant: house, ID: id, Username: id, Name: id, Role: role, Created: at}
		for _, ref := range refs {
			i := identity.Identity{Resource: ref, Verified: true}
			if ref.Type != "Practitioner" {
				i.Patient = "rosa"
			}
			p.Identities = append(p.Identities, i)
		}
		must(t, s.PutPerson(ctx, p))
		return p
	}
	ana := person("ana", identity.RoleClinician, fhir.Reference{Type: "Practitioner", ID: "ana"})
	person("rosa", identity.RolePatient, fhir.Reference{Type: "Patient", ID: "rosa"})
	person("both", identity.RoleClinician, fhir.Reference{Type: "Patient", ID: "rosa"})
	ben := person("ben", identity.RoleStaff)
	chief := person("chief", identity.RoleAdmin)

	equal(t, got(s.StaffCount(ctx, house))(t), 3)
	equal(t, got(s.StaffCount(ctx, other))(t), 0)
	page := got(s.StaffPage(ctx, house, 1, 5))(t)
	equal(t, []string{page[0].Person.ID, page[1].Person.ID}, []string{"ben", "chief"})
	equal(t, got(s.StaffByID(ctx, house, "ana"))(t), directory.Entry{Person: ana, Kept: directory.Kept{Active: true}})
	for _, hidden := range []string{"rosa", "both", "nobody"} {
		_, err := s.StaffByID(ctx, house, hidden)
		fails(t, err, errs.NotFound)
	}
	_, err := s.StaffByID(ctx, other, "ana")
	fails(t, err, errs.NotFound)

	e := directory.Entry{Person: ben, Version: 1, Groups: []string{"g1", "g2"}, Modified: noon(), Kept: directory.Kept{
		ExternalID: "E-1", DisplayName: "Ben", Active: true, Emails: []directory.Email{{Value: "Ben@lakeside.example", Primary: true}},
	}}
	must(t, s.PutEntry(ctx, e, 0))
	fails(t, s.PutEntry(ctx, e, 0), errs.PreconditionFailed)
	equal(t, got(s.StaffByID(ctx, house, "ben"))(t), e)
	equal(t, got(s.StaffByKey(ctx, house, directory.Key{Kind: directory.KeyExternal, Value: "E-1"}))(t), e)
	equal(t, got(s.StaffByKey(ctx, house, directory.Key{Kind: directory.KeyEmail, Value: "ben@lakeside.example"}))(t), e)
	_, err = s.StaffByKey(ctx, other, directory.Key{Kind: directory.KeyExternal, Value: "E-1"})
	fails(t, err, errs.NotFound)
	equal(t, got(s.StaffOfGroup(ctx, house, "g2"))(t), []string{"ben"})
	thief := directory.Entry{Person: ana, Version: 1, Modified: noon(), Kept: directory.Kept{ExternalID: "E-1"}}
	fails(t, s.PutEntry(ctx, thief, 0), errs.Conflict)
	directoryLeavers(t, s, e, thief)
	directoryAdministrators(t, s, chief, person("second", identity.RoleAdmin))
}

// directoryLeavers: somebody whom the directory has named stays its own, and is gone
// when it says so; the names are free then.
func directoryLeavers(t *testing.T, s *store.Store, e, thief directory.Entry) {
	ctx, house, ben := t.Context(), e.Person.Tenant, e.Person
	ben.Identities = []identity.Identity{{Resource: fhir.Reference{Type: "RelatedPerson", ID: "r"}, Patient: "rosa", Verified: true}}
	must(t, s.PutPerson(ctx, ben))
	equal(t, got(s.StaffCount(ctx, house))(t), 3)
	e.Person, e.Version, e.Groups, e.Deleted, e.Kept = ben, 2, nil, noon(), directory.Kept{DisplayName: "Ben"}
	must(t, s.PutEntry(ctx, e, 1))
	equal(t, got(s.StaffCount(ctx, house))(t), 2)
	_, err := s.StaffByID(ctx, house, "ben")
	fails(t, err, errs.NotFound)
	must(t, s.PutEntry(ctx, thief, 0))
}

// directoryAdministrators: the last one who runs the server is the last administrator.
func directoryAdministrators(t *testing.T, s *store.Store, chief, second identity.Person) {
	ctx, house := t.Context(), chief.Tenant
	equal(t, got(s.OtherAdministrator(ctx, house, chief.ID))(t), true)
	_, err := s.AssignOperator(ctx, operator.Assignment{Tenant: house, PersonID: chief.ID, Role: operator.Operator, Assigned: noon()})
	must(t, err)
	equal(t, got(s.OtherAdministrator(ctx, house, chief.ID))(t), false)
	_, err = s.AssignOperator(ctx, operator.Assignment{Tenant: house, PersonID: second.ID, Role: operator.Operator, Assigned: noon()})
	must(t, err)
	equal(t, got(s.OtherAdministrator(ctx, house, chief.ID))(t), true)
	second.Disabled = true
	must(t, s.PutPerson(ctx, second))
	equal(t, got(s.OtherAdministrator(ctx, house, chief.ID))(t), false)
}
