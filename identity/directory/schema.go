package directory

import (
	"strings"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// The URNs of the schemas and messages (RFC 7643 §8.7, RFC 7644 §3).
const (
	UserURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	// StaffURN is that of what a directory says about a member of staff besides.
	StaffURN = "urn:mandate:scim:schemas:2.0:Staff"
)

// The types of attributes (RFC 7643 §2.3).
const (
	typeString   = "string"
	typeBoolean  = "boolean"
	typeTime     = "dateTime"
	typeRef      = "reference"
	typeComplex  = "complex"
	readWrite    = "readWrite"
	readOnly     = "readOnly"
	immutable    = "immutable"
	notUnique    = "none"
	uniqueServer = "server"
)

// Attribute describes one attribute (RFC 7643 §7).
type Attribute struct {
	Name        string      `json:"name"`
	Type        string      `json:"type"`
	Multi       bool        `json:"multiValued"`
	Description string      `json:"description"`
	Required    bool        `json:"required"`
	CaseExact   bool        `json:"caseExact"`
	Mutability  string      `json:"mutability"`
	Returned    string      `json:"returned"`
	Uniqueness  string      `json:"uniqueness"`
	References  []string    `json:"referenceTypes,omitempty"`
	Sub         []Attribute `json:"subAttributes,omitempty"`
	// urn says that the attribute is the whole of an extension.
	urn bool
	// dropped names sub-attributes that are taken and not kept.
	dropped []string
}

// Schema describes one kind of resource with its extensions.
type Schema struct {
	ID          string
	Name        string
	Description string
	Attributes  []Attribute
	// dropped names attributes of the standard that are taken and not kept.
	dropped []string
}

func text(name, about string) Attribute {
	return Attribute{Name: name, Type: typeString, Description: about, Mutability: readWrite, Returned: "default", Uniqueness: notUnique}
}

func group(name, about string, multi bool, sub ...Attribute) Attribute {
	a := text(name, about)
	a.Type, a.Multi, a.Sub = typeComplex, multi, sub
	return a
}

func (a Attribute) as(kind string) Attribute { a.Type = kind; return a }
func (a Attribute) fixed(m string) Attribute { a.Mutability = m; return a }
func (a Attribute) exact() Attribute         { a.CaseExact = true; return a }
func (a Attribute) must() Attribute          { a.Required = true; return a }
func (a Attribute) unique() Attribute        { a.Uniqueness = uniqueServer; return a }
func (a Attribute) always() Attribute        { a.Returned = "always"; return a }
func (a Attribute) to(t ...string) Attribute { a.References = t; return a.as(typeRef) }

// common are the attributes of every resource (RFC 7643 §3.1).
func common() []Attribute {
	return []Attribute{
		text("id", "The subject identifier of the account.").fixed(readOnly).exact().unique().always(),
		group("meta", "When it was made and changed.", false,
			text("resourceType", "User or Group.").exact(), text("created", "When it was made.").as(typeTime),
			text("lastModified", "When the directory changed it last.").as(typeTime),
			text("location", "Its address.").to("uri").exact(), text("version", "Its version, as in ETag.").exact(),
		).fixed(readOnly),
	}
}

// Users describes users.
func Users() *Schema {
	email := group("emails", "E-mail addresses; messages go to the primary one.", true,
		text("value", "The address.").must(), text("type", "What it is for, such as work."), text("display", "How it is shown."),
		text("primary", "Whether messages go there.").as(typeBoolean))
	email.Uniqueness = uniqueServer
	name := group("name", "The parts of the name.", false,
		text("formatted", "The whole name."), text("familyName", "The family name."), text("givenName", "The given name."),
		text("middleName", "Further names."), text("honorificPrefix", "A title before it."), text("honorificSuffix", "A title behind it."))
	staff := group(StaffURN, "What a directory says about a member of staff besides.", false,
		text("practitioner", "The Practitioner of the FHIR server who the person is, such as Practitioner/hale.").exact().fixed(immutable).unique())
	staff.urn = true
	enterprise := Attribute{Name: EnterpriseURN, Type: typeComplex, urn: true, dropped: []string{
		"employeeNumber", "costCenter", "organization", "division", "department", "manager",
	}}
	return &Schema{
		ID: UserURN, Name: "User", Description: "The account of a member of staff",
		Attributes: append(common(),
			text("externalId", "What the directory calls the person.").exact().unique(),
			text("userName", "The name to sign in with.").must().unique(),
			name,
			text("displayName", "How pages call the person; the name when it is left out."),
			text("active", "Whether the person may sign in.").as(typeBoolean),
			email,
			group("groups", "The groups that the person belongs to; change them at the group.", true,
				text("value", "Its id.").exact(), text("$ref", "Its address.").to("Group").exact(), text("display", "Its name.")).fixed(readOnly),
			staff, enterprise),
		dropped: []string{
			"nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone", "phoneNumbers", "ims",
			"photos", "addresses", "entitlements", "roles", "x509Certificates",
		},
	}
}

// Groups describes groups.
func Groups() *Schema {
	return &Schema{
		ID: GroupURN, Name: "Group", Description: "A group of staff; the configuration says which role it gives",
		Attributes: append(common(),
			text("externalId", "Taken and not kept.").exact(),
			text("displayName", "The name in the configuration.").must().unique().fixed(immutable),
			group("members", "Who belongs to it.", true,
				text("value", "The id of the user.").exact().must(), text("$ref", "Its address.").to("User").exact(),
				text("display", "How pages call the person."), text("type", "User."))),
	}
}

// Extension gives what describes the extension of users, as a schema of its own.
func Extension() *Schema {
	for _, a := range Users().Attributes {
		if a.Name == StaffURN {
			return &Schema{ID: StaffURN, Name: "Staff", Description: a.Description, Attributes: a.Sub}
		}
	}
	return nil
}

// Own gives the attributes of the resource itself, without its extensions.
func (s *Schema) Own() (out []Attribute) {
	for _, a := range s.Attributes {
		if !a.urn {
			out = append(out, a)
		}
	}
	return out
}

// find gives the attribute of a name, in whatever case.
func find(all []Attribute, name string) *Attribute {
	for i := range all {
		if strings.EqualFold(all[i].Name, name) {
			return &all[i]
		}
	}
	return nil
}

// drops reports whether a name is that of an attribute that is taken and not kept.
func drops(all []string, name string) bool {
	for _, d := range all {
		if strings.EqualFold(d, name) {
			return true
		}
	}
	return false
}

// fold gives the form in which texts are compared.
func (a *Attribute) fold(s string) string {
	if a.CaseExact {
		return s
	}
	return identity.FoldUsername(s)
}

// fault is a request that a directory got wrong.
func fault(code, msg string) error { return errs.New(errs.Invalid, code, msg) }
