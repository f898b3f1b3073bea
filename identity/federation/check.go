package federation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// idForm is what an id looks like: it is part of an address.
var idForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// unsafe are attributes that their owner, or the next owner of an address, can
// choose: nobody is found by them.
var unsafe = []string{"email", "mail", "e-mail", "phone_number", "telephonenumber", "name", "given_name", "family_name", "nickname", "preferred_username", "birthdate"}

// Check reports every fault of what an operator says.
func (p Provider) Check() (faults []string) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !idForm.MatchString(p.ID) || p.ID == "idp" {
		add("id: %q must be 1 to 32 small letters, digits and hyphens, begin with a letter, and not be idp", p.ID)
	}
	if p.Name == "" || len(p.Name) > 60 {
		add("name: people must be able to read it in 1 to 60 bytes")
	}
	if len(p.For) == 0 {
		add(`for: say for whom it is: "patients", "staff" or both`)
	}
	for _, a := range p.For {
		if a != ForPatients && a != ForStaff {
			add("for: %q is neither patients nor staff", a)
		}
	}
	for i, a := range p.Assurance {
		if a.Level != 1 && a.Level != 2 || a.ACR == "" && len(a.AMR) == 0 {
			add("assurance[%d]: a line has acr, amr or both, and a level of 1 or 2", i)
		}
		if a.Level == 2 && a.ACR == "" && slices.Equal(a.AMR, []string{"pwd"}) {
			add("assurance[%d]: a password alone is level 1", i)
		}
	}
	for i, r := range p.People {
		if fault := r.check(); fault != "" {
			add("people[%d]: %s", i, fault)
		}
	}
	return faults
}

func (r Rule) check() string {
	identifier := r.As == AsPatient || r.As == AsPractitioner
	switch {
	case r.Attribute == "":
		return "attribute is missing"
	case slices.Contains(unsafe, strings.ToLower(r.Attribute)):
		return fmt.Sprintf("nobody can be found by %s safely: it changes hands", r.Attribute)
	case r.As == "RelatedPerson":
		return "a RelatedPerson is found by a reference only: its identifiers are not kept in an index"
	case !identifier && r.As != AsReference && r.As != AsUsername:
		return fmt.Sprintf("as: %q is none of reference, Patient, Practitioner and username", r.As)
	case identifier && !strings.Contains(r.System, ":"):
		return "system: the URI of the identifier's system is missing"
	case !identifier && r.System != "":
		return "system: only an identifier has one"
	}
	return ""
}
