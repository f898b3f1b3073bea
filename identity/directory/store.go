package directory

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
)

// Key names an account by what the directory says of it.
type Key struct {
	// Kind is KeyExternal, KeyEmail or KeyPractitioner.
	Kind, Value string
}

// The kinds of keys. Addresses are compared as usernames are.
const (
	KeyExternal     = "external"
	KeyEmail        = "email"
	KeyPractitioner = "practitioner"
)

// Keys gives the keys of an entry, each once: no two entries share one.
func (e Entry) Keys() (out []Key) {
	if !e.Deleted.IsZero() {
		return nil
	}
	if e.ExternalID != "" {
		out = append(out, Key{KeyExternal, e.ExternalID})
	}
	if ref := practitioner(e.Person); ref != "" {
		out = append(out, Key{KeyPractitioner, ref})
	}
	seen := map[string]bool{}
	for _, m := range e.Emails {
		if v := identity.FoldUsername(m.Value); !seen[v] {
			seen[v] = true
			out = append(out, Key{KeyEmail, v})
		}
	}
	return out
}

// Store is the port of the room. An entry is the account of somebody with a role of
// staff, or without one yet, who is in the directory, or whom it has never named and
// who stands for no patient and for nobody who helps one.
type Store interface {
	// StaffByID gives an entry. Errors: errs.NotFound.
	StaffByID(ctx context.Context, tenant, id string) (Entry, error)
	// StaffByKey gives the entry that has a key. Errors: errs.NotFound.
	StaffByKey(ctx context.Context, tenant string, k Key) (Entry, error)
	// StaffPage gives entries by their making, at most limit behind the first skip;
	// StaffCount gives the number of all.
	StaffPage(ctx context.Context, tenant string, skip, limit int) ([]Entry, error)
	StaffCount(ctx context.Context, tenant string) (int, error)
	// StaffOfGroup gives the ids of the accounts of a group, sorted.
	StaffOfGroup(ctx context.Context, tenant, group string) ([]string, error)
	// PutEntry stores what the directory says of an account, with its groups and
	// keys, where the stored version is ifVersion, 0 for none; the account itself is
	// stored by identity. Errors: errs.Conflict with code scim-key-taken when a key is
	// that of another account; errs.PreconditionFailed with code version-changed.
	PutEntry(ctx context.Context, e Entry, ifVersion int) error
	// OtherAdministrator reports whether, without the account, an administrator is
	// left who may sign in, and if the account runs the server, another one who does.
	OtherAdministrator(ctx context.Context, tenant, id string) (bool, error)
}

// Tx is what a use-case of this room needs inside one transaction.
type Tx interface {
	Store
	identity.Tx
	// EndGrants ends all that the person allowed apps, with its events.
	EndGrants(ctx context.Context, p identity.Person, reason string, origin audit.Event) error
}
