package operator

import "time"

// Role is what an account may do to the server itself.
type Role string

// The roles. The first three are disjoint: who can read the tables must not
// hold the keys to them, and who judges the log must do neither.
const (
	DatabaseAdministrator Role = "database-administrator"
	KeyCustodian          Role = "key-custodian"
	Auditor               Role = "auditor"
	// Operator does everything else: accounts, clients, tenants, roles.
	Operator Role = "operator"
)

// Roles lists all roles.
func Roles() []Role { return []Role{DatabaseAdministrator, KeyCustodian, Auditor, Operator} }

// slots: an account holds at most one role of each.
const (
	separated = "separated"
	general   = "general"
)

// Slot gives the set of which an account holds at most one role, "" for a role
// that there is not. The store keeps one row per account and slot, so that two
// nodes cannot assign two disjoint roles at once.
func (r Role) Slot() string {
	switch r {
	case DatabaseAdministrator, KeyCustodian, Auditor:
		return separated
	case Operator:
		return general
	}
	return ""
}

// Binding is the user of the server's operating system that an account is, where
// the operating system says who runs a command.
type Binding struct {
	Tenant   string
	PersonID string
	OSUser   string
	Bound    time.Time
	// By is the account that bound it, empty for the first ones.
	By string
}

// Assignment is one role of one account.
type Assignment struct {
	Tenant   string
	PersonID string
	Role     Role
	Assigned time.Time
	// By is the account that assigned it, empty for the first ones.
	By string
}
