package directory

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// How much one answer holds, and how many accounts a filter is tried on that names
// none: it takes a look at each.
const (
	DefaultCount = 100
	MaxCount     = 200
	maxScan      = 20_000
)

// Query asks for a part of a list (RFC 7644 §3.4.2).
type Query struct {
	// Filter is nil for all.
	Filter *Filter
	// Start is the place of the first one wanted, from 1 on; Count how many.
	Start, Count int
}

// Page is a part of a list.
type Page struct {
	Total int
	Users []User
}

// One gives a member of staff. Errors: errs.NotFound; errs.Unavailable.
func (s *Service) One(ctx context.Context, c Caller, id string) (User, error) {
	e, err := s.Read.StaffByID(ctx, c.Tenant, id)
	if errs.Is(err, errs.NotFound) {
		return User{}, errs.New(errs.NotFound, "scim-not-found", "There is no such member of staff.")
	}
	return e.user(s.Groups, c.Base), err
}

// Find gives the members of staff that fit, by the making of their accounts. Errors:
// errs.Invalid with code scim-too-many for a filter that is about too many accounts;
// errs.Unavailable.
func (s *Service) Find(ctx context.Context, c Caller, q Query) (Page, error) {
	switch {
	case q.Filter == nil:
		return s.all(ctx, c, q)
	default:
		if path, value, ok := q.Filter.pinned("id", "userName", "externalId", "emails.value"); ok {
			return s.named(ctx, c, q, path, value)
		}
	}
	total, err := s.Read.StaffCount(ctx, c.Tenant)
	if err != nil {
		return Page{}, err
	}
	if total > maxScan {
		return Page{}, fault("scim-too-many", "There are too many accounts for a filter that names none by id, userName, externalId or emails.value with eq.")
	}
	var out Page
	for skip := 0; skip < total; skip += MaxCount {
		batch, err := s.Read.StaffPage(ctx, c.Tenant, skip, MaxCount)
		if err != nil {
			return Page{}, err
		}
		for _, e := range batch {
			if err := out.add(e.user(s.Groups, c.Base), q); err != nil {
				return Page{}, err
			}
		}
	}
	return out, nil
}

// all gives a part of the whole list.
func (s *Service) all(ctx context.Context, c Caller, q Query) (out Page, err error) {
	if out.Total, err = s.Read.StaffCount(ctx, c.Tenant); err != nil || q.Count == 0 || q.Start > out.Total {
		return out, err
	}
	batch, err := s.Read.StaffPage(ctx, c.Tenant, q.Start-1, q.Count)
	for _, e := range batch {
		out.Users = append(out.Users, e.user(s.Groups, c.Base))
	}
	return out, err
}

// named looks the one account up that can fit.
func (s *Service) named(ctx context.Context, c Caller, q Query, path, value string) (out Page, err error) {
	var e Entry
	switch path {
	case "id":
		e, err = s.Read.StaffByID(ctx, c.Tenant, value)
	case "userName":
		var p identity.Person
		if p, err = s.Read.PersonByUsername(ctx, c.Tenant, identity.FoldUsername(value)); err == nil {
			e, err = s.Read.StaffByID(ctx, c.Tenant, p.ID)
		}
	case "externalId":
		e, err = s.Read.StaffByKey(ctx, c.Tenant, Key{KeyExternal, value})
	default:
		e, err = s.Read.StaffByKey(ctx, c.Tenant, Key{KeyEmail, identity.FoldUsername(value)})
	}
	if errs.Is(err, errs.NotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	return out, out.add(e.user(s.Groups, c.Base), q)
}

// add counts a user that fits, and takes it where it is asked for.
func (p *Page) add(u User, q Query) error {
	have, err := fields(u)
	if err != nil {
		return err
	}
	if !q.Filter.Match(have) {
		return nil
	}
	if p.Total++; p.Total >= q.Start && len(p.Users) < q.Count {
		p.Users = append(p.Users, u)
	}
	return nil
}

// AllGroups gives the groups of the configuration that fit; their members only where
// they are wanted. Errors: errs.Unavailable.
func (s *Service) AllGroups(ctx context.Context, c Caller, f *Filter, members bool) (out []Members, err error) {
	for _, g := range s.Groups {
		m, err := s.members(ctx, s.Read, c, g, members || f != nil)
		if err != nil {
			return nil, err
		}
		if f != nil {
			have, err := fields(m)
			if err != nil {
				return nil, err
			}
			if !f.Match(have) {
				continue
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// OneGroup gives a group. Errors: errs.NotFound; errs.Unavailable.
func (s *Service) OneGroup(ctx context.Context, c Caller, id string) (Members, error) {
	g, err := s.group(id)
	if err != nil {
		return Members{}, err
	}
	return s.members(ctx, s.Read, c, g, true)
}

func (s *Service) group(id string) (Group, error) {
	i := slices.IndexFunc(s.Groups, func(g Group) bool { return g.ID() == id })
	if i < 0 {
		return Group{}, errs.New(errs.NotFound, "scim-not-found", "There is no such group.")
	}
	return s.Groups[i], nil
}

func (s *Service) members(ctx context.Context, st Store, c Caller, g Group, wanted bool) (Members, error) {
	out := Members{Schemas: []string{GroupURN}, ID: g.ID(), DisplayName: g.Name, Meta: &Meta{ResourceType: "Group", Location: c.Base + "/Groups/" + g.ID()}}
	if !wanted {
		return out, nil
	}
	all, err := st.StaffOfGroup(ctx, c.Tenant, g.ID())
	for _, id := range all {
		out.Members = append(out.Members, Ref{Value: id, Ref: c.Base + "/Users/" + id, Type: "User"})
	}
	out.Meta.Version = version(out)
	return out, err
}
