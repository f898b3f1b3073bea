package directory

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// errFixed is the answer to who wants another set of groups.
func errFixed() error {
	return errs.New(errs.Forbidden, "scim-group-fixed", "Groups are those of the configuration (scim.groups): they are not made, renamed or deleted here.")
}

// MakeGroup refuses: a group gives a role, and which there are is in the
// configuration. Errors: errs.Conflict with code scim-group-exists for one of them;
// errs.Invalid with code scim-group-unknown for any other; those of a body.
func (s *Service) MakeGroup(ctx context.Context, c Caller, body map[string]any) error {
	n, err := Groups().normal(body)
	if err != nil {
		return err
	}
	name, _ := n["displayName"].(string)
	return s.recorded(ctx, c, "group", "", "C", func(Tx) error {
		if slices.ContainsFunc(s.Groups, func(g Group) bool { return identity.FoldUsername(g.Name) == identity.FoldUsername(name) }) {
			return errs.New(errs.Conflict, "scim-group-exists", "The group exists; find it by its displayName.")
		}
		return fault("scim-group-unknown", "The configuration (scim.groups) says of no role that this group gives it.")
	})
}

// DropGroup refuses. Errors: errs.NotFound; errs.Forbidden with code scim-group-fixed.
func (s *Service) DropGroup(ctx context.Context, c Caller, id string) error {
	return s.recorded(ctx, c, "group", id, "D", func(Tx) error {
		if _, err := s.group(id); err != nil {
			return err
		}
		return errFixed()
	})
}

// ReplaceGroup makes the members of a group those of the body. Errors: as for
// ChangeGroup.
func (s *Service) ReplaceGroup(ctx context.Context, c Caller, id string, body map[string]any) (Members, error) {
	n, err := Groups().normal(body)
	if err != nil {
		return Members{}, err
	}
	return s.regroup(ctx, c, id, func(map[string]any) (map[string]any, error) { return n, nil })
}

// ChangeGroup does the operations of a PATCH on a group. Who comes gets its role, who
// goes has none any more; the log-ins of either end. Errors: errs.NotFound;
// errs.PreconditionFailed; errs.Forbidden with code scim-group-fixed or
// scim-last-administrator; errs.Invalid with code scim-member-unknown, or
// scim-two-roles for somebody whom another group gives another role; those of
// ParsePatch; errs.Unavailable.
func (s *Service) ChangeGroup(ctx context.Context, c Caller, id string, body map[string]any) (Members, error) {
	ops, err := ParsePatch(Groups(), body)
	if err != nil {
		return Members{}, err
	}
	return s.regroup(ctx, c, id, func(have map[string]any) (map[string]any, error) { return apply(have, ops) })
}

func (s *Service) regroup(ctx context.Context, c Caller, id string, do func(map[string]any) (map[string]any, error)) (out Members, err error) {
	err = s.recorded(ctx, c, "group", id, "U", func(tx Tx) error {
		g, err := s.group(id)
		if err != nil {
			return err
		}
		before, err := s.members(ctx, tx, c, g, true)
		if err != nil {
			return err
		}
		if !Matches(c.Match, before.Meta.Version) {
			return errVersion()
		}
		have, err := fields(before)
		if err == nil {
			have, err = do(have)
		}
		if err != nil {
			return err
		}
		var after Members
		if err := remarshal(have, &after); err != nil {
			return err
		}
		if identity.FoldUsername(after.DisplayName) != identity.FoldUsername(g.Name) {
			return errFixed()
		}
		if err := s.move(ctx, tx, c, g, before.Members, after.Members); err != nil {
			return err
		}
		out, err = s.members(ctx, tx, c, g, true)
		return err
	})
	return out, err
}

// move lets people into a group and out of it.
func (s *Service) move(ctx context.Context, tx Tx, c Caller, g Group, before, after []Ref) error {
	is := func(all []Ref, id string) bool {
		return slices.ContainsFunc(all, func(r Ref) bool { return r.Value == id })
	}
	seen := map[string]bool{}
	var come, leave []string
	for _, r := range after {
		if !is(before, r.Value) && !seen[r.Value] {
			come = append(come, r.Value)
		}
		seen[r.Value] = true
	}
	for _, r := range before {
		if !seen[r.Value] {
			leave = append(leave, r.Value)
		}
	}
	if len(come)+len(leave) > MaxMembers {
		return errs.New(errs.TooLarge, "scim-limit", "One request changes a thousand members at most.")
	}
	// Who comes goes first: an administrator may take the place of the last one.
	for i, id := range append(come, leave...) {
		e, err := tx.StaffByID(ctx, c.Tenant, id)
		if errs.Is(err, errs.NotFound) {
			return fault("scim-member-unknown", "A member is not the id of a member of staff.")
		}
		if err != nil {
			return err
		}
		next := e
		if i < len(come) {
			next.Groups = append(slices.Clone(e.Groups), g.ID())
			slices.Sort(next.Groups)
		} else {
			next.Groups = slices.DeleteFunc(slices.Clone(e.Groups), func(one string) bool { return one == g.ID() })
		}
		if next.Person.Role, err = s.given(next.Groups); err != nil {
			return err
		}
		if _, err := s.save(ctx, tx, c, "U", e, next); err != nil {
			return err
		}
	}
	if len(come)+len(leave) == 0 {
		e := s.event(c, "group", g.ID(), "U")
		e.Reason = "unchanged"
		return tx.AppendAudit(ctx, e)
	}
	return nil
}

// given is the one role that groups give, that of nobody yet for none.
func (s *Service) given(groups []string) (identity.Role, error) {
	out := identity.RoleStaff
	for _, id := range groups {
		role, ok := s.role(id)
		switch {
		case !ok:
			// A group that the configuration does not name any more gives nothing.
		case out != identity.RoleStaff && out != role:
			return out, fault("scim-two-roles", "Another group gives the person another role, and an account has one.")
		default:
			out = role
		}
	}
	return out, nil
}
