package route

import "strings"

// TenantPrefix is the path below which every tenant but the one at the root
// has its addresses (D13).
const TenantPrefix = "/t/"

// Base is the path in front of all addresses of one tenant: "" for the tenant
// at the root, "/t/acme" for the tenant acme.
type Base string

// BaseOf gives the base of a tenant that is not at the root.
func BaseOf(id string) Base { return Base(TenantPrefix + id) }

// Path gives the full address of a path such as "/apps".
func (b Base) Path(path string) string { return string(b) + path }

// Tenant gives the tenant's id, "" at the root.
func (b Base) Tenant() string { return strings.TrimPrefix(string(b), TenantPrefix) }

// Owns reports whether a clean path belongs to this tenant. The root owns all
// that belongs to no other.
func (b Base) Owns(path string) bool {
	if b == "" {
		return !strings.HasPrefix(path, TenantPrefix)
	}
	return path == string(b) || strings.HasPrefix(path, string(b)+"/")
}
