package oauth

import (
	"slices"
	"strings"
)

// adminPrefix begins the scopes of the administration API. They are no FHIR
// scopes and open nothing at the FHIR base.
const adminPrefix = "admin/"

// ScopeAdminAudit is for reading the audit log. A client that has it has no
// other scope of the administration API: who looks after what was done does not
// do it.
const ScopeAdminAudit = adminPrefix + "audit"

// AdminScopes lists the scopes of the administration API, one for each area.
func AdminScopes() []string {
	return []string{
		ScopeAdminAudit, adminPrefix + "brands", adminPrefix + "clients", adminPrefix + "consents", adminPrefix + "grants", adminPrefix + "launches", adminPrefix + "people",
		adminPrefix + "records", adminPrefix + "scim",
	}
}

// AdminScope reports whether the text is a scope of the administration API.
func AdminScope(text string) bool { return slices.Contains(AdminScopes(), text) }

// ScopeOfArea gives the scope that opens an area of the administration API, ""
// where none does.
func ScopeOfArea(area string) string {
	switch area {
	case "related-persons":
		area = "consents"
	case "approvals", "registrations":
		area = "clients"
	}
	if text := adminPrefix + area; AdminScope(text) {
		return text
	}
	return ""
}

// Administers reports whether the scope string opens the area.
func Administers(scopes, area string) bool {
	needed := ScopeOfArea(area)
	return needed != "" && slices.Contains(strings.Fields(scopes), needed)
}
