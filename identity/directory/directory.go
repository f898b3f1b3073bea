package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity"
)

// Name are the parts of a name.
type Name struct {
	Formatted       string `json:"formatted,omitempty"`
	FamilyName      string `json:"familyName,omitempty"`
	GivenName       string `json:"givenName,omitempty"`
	MiddleName      string `json:"middleName,omitempty"`
	HonorificPrefix string `json:"honorificPrefix,omitempty"`
	HonorificSuffix string `json:"honorificSuffix,omitempty"`
}

// whole joins the parts as they are spoken.
func (n Name) whole() string {
	if n.Formatted != "" {
		return n.Formatted
	}
	return strings.Join(strings.Fields(strings.Join([]string{n.HonorificPrefix, n.GivenName, n.MiddleName, n.FamilyName, n.HonorificSuffix}, " ")), " ")
}

// Email is one address.
type Email struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Display string `json:"display,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// Kept is what the directory says of an account beside what the account has.
type Kept struct {
	ExternalID  string  `json:"external_id,omitempty"`
	Name        Name    `json:"name,omitzero"`
	DisplayName string  `json:"display_name,omitempty"`
	Emails      []Email `json:"emails,omitempty"`
	// Active is what the directory wants; an account without a role is not usable
	// all the same.
	Active bool `json:"active"`
}

// Entry is a member of staff.
type Entry struct {
	Person identity.Person
	Kept
	// Version counts what the directory changed, 0 for nothing yet.
	Version int
	// Groups are the ids of the groups that the person belongs to, sorted.
	Groups []string
	// Modified is when the directory changed it last, zero for an account that was
	// made otherwise and never changed here; Deleted is when the directory deleted
	// it, zero while it is there.
	Modified, Deleted time.Time
}

// Usable reports whether the person may sign in.
func (e Entry) usable() bool {
	return e.Active && e.Deleted.IsZero() && e.Person.Role.Staff()
}

// Mailbox is where messages go, "" for nowhere.
func (k Kept) Mailbox() string {
	for _, m := range k.Emails {
		if m.Primary {
			return m.Value
		}
	}
	if len(k.Emails) > 0 {
		return k.Emails[0].Value
	}
	return ""
}

// Group is a group of staff that the configuration knows.
type Group struct {
	Name string
	Role identity.Role
}

// ID is made of the name, so that it stays the same at each node and after each start.
func (g Group) ID() string {
	sum := sha256.Sum256([]byte(identity.FoldUsername(g.Name)))
	return hex.EncodeToString(sum[:16])
}

// Ref names another resource.
type Ref struct {
	Value   string `json:"value"`
	Ref     string `json:"$ref,omitempty"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
}

// Meta is what the server says of a resource.
type Meta struct {
	ResourceType string    `json:"resourceType"`
	Created      time.Time `json:"created,omitzero"`
	LastModified time.Time `json:"lastModified,omitzero"`
	Location     string    `json:"location"`
	Version      string    `json:"version,omitempty"`
}

// Staff is the extension of users.
type Staff struct {
	Practitioner string `json:"practitioner,omitempty"`
}

// User is a member of staff as a directory sees them.
type User struct {
	Schemas     []string `json:"schemas"`
	ID          string   `json:"id,omitempty"`
	ExternalID  string   `json:"externalId,omitempty"`
	UserName    string   `json:"userName"`
	Name        *Name    `json:"name,omitempty"`
	DisplayName string   `json:"displayName,omitempty"`
	Active      *bool    `json:"active,omitempty"`
	Emails      []Email  `json:"emails,omitempty"`
	Groups      []Ref    `json:"groups,omitempty"`
	Staff       *Staff   `json:"urn:mandate:scim:schemas:2.0:Staff,omitempty"`
	Meta        *Meta    `json:"meta,omitempty"`
}

// Members is a group as a directory sees it.
type Members struct {
	Schemas     []string `json:"schemas"`
	ID          string   `json:"id"`
	DisplayName string   `json:"displayName"`
	Members     []Ref    `json:"members,omitempty"`
	Meta        *Meta    `json:"meta,omitempty"`
}

// practitioner gives the reference of the Practitioner who the person is, "" for none.
func practitioner(p identity.Person) string {
	for _, i := range p.Identities {
		if i.Resource.Type == "Practitioner" && i.Verified {
			return i.Resource.String()
		}
	}
	return ""
}

// user gives the resource of an entry; base is the address of the API.
func (e Entry) user(groups []Group, base string) User {
	active := e.Active
	u := User{
		Schemas: []string{UserURN}, ID: e.Person.ID, ExternalID: e.ExternalID, UserName: e.Person.Username, DisplayName: e.DisplayName,
		Active: &active, Emails: e.Emails,
		Meta: &Meta{ResourceType: "User", Created: e.Person.Created, LastModified: e.Modified, Location: base + "/Users/" + e.Person.ID},
	}
	if e.Name != (Name{}) {
		u.Name = &e.Name
	}
	if u.DisplayName == "" {
		u.DisplayName = e.Person.Name
	}
	if ref := practitioner(e.Person); ref != "" {
		u.Staff = &Staff{ref}
		u.Schemas = append(u.Schemas, StaffURN)
	}
	for _, g := range groups {
		for _, id := range e.Groups {
			if id == g.ID() {
				u.Groups = append(u.Groups, Ref{Value: id, Ref: base + "/Groups/" + id, Display: g.Name})
			}
		}
	}
	if e.Modified.IsZero() {
		u.Meta.LastModified = e.Person.Created
	}
	u.Meta.Version = version(u)
	return u
}

// version tells one state of a resource from another.
func version(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}

// fields gives the resource as an object, by the names of the schema.
func fields(v any) (out map[string]any, err error) {
	return out, remarshal(v, &out)
}
