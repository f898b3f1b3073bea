package tenant

import (
	"net/url"
	"regexp"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Default is the id of the tenant that always exists, at the root of the
// public URL.
const Default = "default"

// State says whether a tenant is served.
type State string

// The states.
const (
	Active   State = "active"
	Disabled State = "disabled"
	// Deleted tenants have lost their keys for good; their id is not given again.
	Deleted State = "deleted"
)

// Tenant is one row: what a process must know to serve it.
type Tenant struct {
	// ID is part of the tenant's addresses: lower-case letters, digits and
	// hyphens. It never changes.
	ID string
	// Name is what people call the organization that the tenant is for.
	Name string
	// Organization is its FHIR reference, such as Organization/1, which
	// consents name as custodian; may be empty.
	Organization string
	// Upstream is the base URL of the FHIR server behind.
	Upstream string
	// Registration is how clients register themselves here (off, token or
	// approval); empty: as the server's configuration says.
	Registration string
	// ClientDocuments are the hosts whose documents describe clients here, with
	// spaces between, or off; empty: as the server's configuration says.
	ClientDocuments string
	State           State
	Created         time.Time
}

var idForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}[a-z0-9]$`)

// Validate reports the first fault of a new tenant. Errors: errs.Invalid with
// code tenant-id, tenant-name or tenant-upstream.
func (t Tenant) Validate() error {
	u, err := url.Parse(t.Upstream)
	switch {
	case !idForm.MatchString(t.ID):
		return errs.New(errs.Invalid, "tenant-id", "The id of a tenant has 2 to 32 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen.")
	case t.Name == "":
		return errs.New(errs.Invalid, "tenant-name", "A tenant needs the name by which people know its organization.")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errs.New(errs.Invalid, "tenant-upstream", "The upstream of a tenant is the http or https base URL of its FHIR server, without user, query or fragment.")
	}
	return nil
}
