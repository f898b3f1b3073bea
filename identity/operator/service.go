package operator

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/internal/txn"
)

// Service assigns roles and asks for them. It is safe for concurrent use.
type Service struct {
	Tx    txn.Runner[Tx]
	Clock clock.Clock
}

// Change is an assignment or its end: the role of the account Username at
// Tenant, by the account As.
type Change struct {
	Tenant   string
	Username string
	Role     Role
	As       string
	// Peer is as in Need.
	Peer string
	// OSUser is, when set, the user of the operating system that the account is
	// to be from now on.
	OSUser string
}

// Assign gives an account a role. Errors: errs.Conflict with code
// operator-roles-disjoint when it holds one that excludes it, or with code
// operator-os-user-taken;
// errs.Unprocessable (operator-account) for an account that is not one of an
// administrator; errs.Forbidden as for Require, or with code operator-self for a
// role of one's own; errs.NotFound; errs.Invalid (operator-role). Refusals are
// in the audit log too.
func (s *Service) Assign(ctx context.Context, c Change) error {
	return s.change(ctx, c, "C", func(tx Tx, p, by identity.Person, held []Assignment) error {
		if p.Role != identity.RoleAdmin || p.Disabled {
			return errs.New(errs.Unprocessable, "operator-account", "Only an enabled account of the role admin can be an operator.")
		}
		if by.ID == p.ID {
			return errs.New(errs.Forbidden, "operator-self", "Nobody assigns a role to their own account.")
		}
		a := Assignment{Tenant: c.Tenant, PersonID: p.ID, Role: c.Role, Assigned: s.Clock.Now(), By: by.ID}
		won, err := tx.AssignOperator(ctx, a)
		if err != nil {
			return err
		}
		if !won && !holds(held, p.ID, c.Role) {
			return errs.New(errs.Conflict, "operator-roles-disjoint",
				"Database administrator, key custodian and auditor are never the same person: this account holds another of these roles.")
		}
		return s.bind(ctx, tx, a, c.OSUser)
	})
}

// bind says which user of the operating system an account is.
func (s *Service) bind(ctx context.Context, tx Tx, a Assignment, user string) error {
	if user == "" {
		return nil
	}
	bound, err := tx.OSUsers(ctx, a.Tenant)
	if err != nil {
		return err
	}
	won := !slices.ContainsFunc(bound, func(b Binding) bool { return b.OSUser == user && b.PersonID != a.PersonID })
	if won {
		won, err = tx.BindOSUser(ctx, Binding{Tenant: a.Tenant, PersonID: a.PersonID, OSUser: user, Bound: a.Assigned, By: a.By})
	}
	if err != nil || won {
		return err
	}
	return errs.New(errs.Conflict, "operator-os-user-taken", "Another account of this tenant is the user "+user+" of this machine already.")
}

// Revoke takes a role away, and with the last one the user of the operating
// system. Errors: errs.NotFound; errs.Forbidden as for
// Require; errs.Invalid (operator-role).
func (s *Service) Revoke(ctx context.Context, c Change) error {
	return s.change(ctx, c, "D", func(tx Tx, p, _ identity.Person, held []Assignment) error {
		if err := tx.RevokeOperator(ctx, c.Tenant, p.ID, c.Role); err != nil {
			return err
		}
		if slices.ContainsFunc(held, func(a Assignment) bool { return a.PersonID == p.ID && a.Role != c.Role }) {
			return nil
		}
		return tx.UnbindOSUser(ctx, c.Tenant, p.ID)
	})
}

// change finds who is concerned, asks whether As may change roles, and records
// what came of it in the same transaction.
func (s *Service) change(ctx context.Context, c Change, action string, do func(tx Tx, p, by identity.Person, held []Assignment) error) error {
	if c.Role.Slot() == "" {
		return errs.New(errs.Invalid, "operator-role", "The roles are "+Names()+".")
	}
	return s.recorded(ctx, func(tx Tx, e *audit.Event) error {
		e.Tenant, e.Kind, e.Action = c.Tenant, audit.OperatorChanged, action
		e.Detail = map[string]string{"role": string(c.Role)}
		if c.OSUser != "" {
			e.Detail["os_user"] = c.OSUser
		}
		held, err := tx.Operators(ctx, c.Tenant)
		if err != nil {
			return err
		}
		asked, seated, err := seat(ctx, tx, c.Tenant)
		if err != nil {
			return err
		}
		// Roles are given freely until there is somebody to give them.
		guarded := slices.ContainsFunc(seated, func(a Assignment) bool { return a.Role == Operator })
		n := Need{Tenant: asked, As: c.As, Peer: c.Peer, Role: Operator}
		by, err := who(ctx, tx, n, seated, guarded)
		by.note(e, n)
		if err != nil {
			return err
		}
		p, err := tx.PersonByUsername(ctx, c.Tenant, c.Username)
		if err != nil {
			return err
		}
		e.Detail["person"] = p.ID
		return do(tx, p, by.Person, held)
	})
}

// Need is an act that takes a role.
type Need struct {
	Tenant string
	// As is the username of who acts.
	As string
	// Peer is the user of the server's machine that the operating system says
	// runs the command; empty where nobody says so, and As is only a name.
	Peer string
	Role Role
	// Act names what is to be done, such as "keys rotate".
	Act string
}

// actor is who acts. proven says that the operating system vouches for it.
type actor struct {
	identity.Person
	proven bool
}

// note says in the record who acts, and what stands behind the name.
func (a actor) note(e *audit.Event, n Need) {
	e.PersonID, e.Detail["proof"] = a.ID, "named"
	if a.proven {
		e.Detail["proof"] = "os-user"
	}
	if n.Peer != "" {
		e.Detail["peer"] = n.Peer
	}
}

// Require asks whether an act may be done, and records who does it. A tenant
// without operators asks those of the default tenant; while there are none at
// all everybody may, unnamed. Where a Peer is known and the tenant asked has
// bound users of the operating system to accounts, the act is that of the peer's
// account: it need not be named, and no other may be. It gives the acting
// account's id, "" when nobody was named. Errors: errs.Forbidden with code
// operator-missing when nobody was named or the account is not there,
// operator-os-user when the peer is not the account's user, and
// operator-role-missing when it does not hold the role; errs.Unavailable.
func (s *Service) Require(ctx context.Context, n Need) (string, error) {
	id := ""
	err := s.recorded(ctx, func(tx Tx, e *audit.Event) error {
		e.Tenant, e.Kind, e.Action = n.Tenant, audit.OperatorActed, "E"
		e.Detail = map[string]string{"role": string(n.Role), "act": n.Act}
		asked, held, err := seat(ctx, tx, n.Tenant)
		if err != nil {
			return err
		}
		n := n
		n.Tenant = asked
		p, err := who(ctx, tx, n, held, len(held) > 0)
		p.note(e, n)
		id = p.ID
		return err
	})
	return id, err
}

// Holder gives the account that may do an act, as Require does, where nothing
// can be recorded; who calls it records the act itself. Errors: as for Require.
func Holder(ctx context.Context, r Reader, n Need) (string, error) {
	asked, held, err := seat(ctx, r, n.Tenant)
	if err != nil {
		return "", err
	}
	n.Tenant = asked
	p, err := who(ctx, r, n, held, len(held) > 0)
	return p.ID, err
}

// seat gives the tenant whose operators are asked, and their roles: its own, or
// those of the default tenant, who run the process, while it has none.
func seat(ctx context.Context, r Reader, of string) (string, []Assignment, error) {
	held, err := r.Operators(ctx, of)
	if err != nil || len(held) > 0 || of == tenant.Default {
		return of, held, err
	}
	held, err = r.Operators(ctx, tenant.Default)
	return tenant.Default, held, err
}

// who gives the account that acts, none when nobody was named. Where guarded it
// must be named and hold the role. It is given with a refusal too, for the
// record.
func who(ctx context.Context, r Reader, n Need, held []Assignment, guarded bool) (actor, error) {
	bound, err := bindings(ctx, r, n)
	if err != nil {
		return actor{}, err
	}
	at := slices.IndexFunc(bound, func(b Binding) bool { return b.OSUser == n.Peer })
	if n.As == "" && at >= 0 {
		p, err := r.PersonByID(ctx, n.Tenant, bound[at].PersonID)
		if err != nil {
			return actor{}, err
		}
		n.As = p.Username
	}
	if n.As == "" && !guarded {
		return actor{}, nil
	}
	if n.As == "" {
		return actor{}, errs.New(errs.Forbidden, "operator-missing", "Operators are assigned, so this needs --as USERNAME of one with the role "+string(n.Role)+".")
	}
	p := actor{proven: at >= 0}
	p.Person, err = r.PersonByUsername(ctx, n.Tenant, n.As)
	if errs.Is(err, errs.NotFound) {
		return p, errs.New(errs.Forbidden, "operator-missing", "There is no account of the name given with --as.")
	}
	if err != nil {
		return p, err
	}
	if len(bound) > 0 && (at < 0 || bound[at].PersonID != p.ID) {
		p.proven = false
		return p, errs.New(errs.Forbidden, "operator-os-user", "On this machine you are the user "+n.Peer+
			", who is not that account: run this as the user it was bound to with --os-user.")
	}
	if p.Disabled || guarded && !holds(held, p.ID, n.Role) {
		return p, errs.New(errs.Forbidden, "operator-role-missing", "The account given with --as does not hold the role "+string(n.Role)+".")
	}
	return p, nil
}

// bindings gives those that count for an act: none where nobody says who runs
// the command.
func bindings(ctx context.Context, r Reader, n Need) ([]Binding, error) {
	if n.Peer == "" {
		return nil, nil
	}
	return r.OSUsers(ctx, n.Tenant)
}

// Held is an assignment with the account's username, "" when it is gone, and the
// user of the operating system that it is, "" for none.
type Held struct {
	Assignment
	Username string
	OSUser   string
}

// List gives the assignments of a tenant. Errors: errs.Unavailable.
func (s *Service) List(ctx context.Context, of string) ([]Held, error) {
	var out []Held
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		out = nil
		all, err := tx.Operators(ctx, of)
		if err != nil {
			return err
		}
		bound, err := tx.OSUsers(ctx, of)
		if err != nil {
			return err
		}
		for _, a := range all {
			p, err := tx.PersonByID(ctx, of, a.PersonID)
			if err != nil && !errs.Is(err, errs.NotFound) {
				return err
			}
			h := Held{Assignment: a, Username: p.Username}
			if at := slices.IndexFunc(bound, func(b Binding) bool { return b.PersonID == a.PersonID }); at >= 0 {
				h.OSUser = bound[at].OSUser
			}
			out = append(out, h)
		}
		return nil
	})
	return out, err
}

// recorded runs an act and writes its event. What is refused leaves nothing but
// its event, which is committed; a store that is down leaves nothing at all.
func (s *Service) recorded(ctx context.Context, act func(Tx, *audit.Event) error) error {
	var refusal error
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		e := audit.Event{Time: s.Clock.Now(), Outcome: audit.Success}
		refusal = act(tx, &e)
		switch errs.KindOf(refusal) {
		case "":
		case errs.Forbidden, errs.Conflict, errs.Unprocessable, errs.NotFound:
			e.Outcome, e.Reason = audit.MinorFailure, errs.As(refusal).Code
		default:
			return refusal
		}
		return tx.AppendAudit(ctx, e)
	})
	if err != nil {
		return err
	}
	return refusal
}

func holds(all []Assignment, personID string, role Role) bool {
	return slices.ContainsFunc(all, func(a Assignment) bool { return a.PersonID == personID && a.Role == role })
}

// Names lists the roles for people.
func Names() string {
	var names []string
	for _, r := range Roles() {
		names = append(names, string(r))
	}
	last := len(names) - 1
	return fmt.Sprintf("%s and %s", strings.Join(names[:last], ", "), names[last])
}
