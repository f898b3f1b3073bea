package store

import (
	"context"
	"strconv"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/directory"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

// staffed chooses the accounts that a directory may see: those of staff that it has
// named, and others of staff that stand for no patient and for nobody who helps one.
const staffed = `p.role IN ('staff', 'clinician', 'admin') AND (
	EXISTS (SELECT 1 FROM directory_entry d WHERE d.tenant = p.tenant AND d.person_id = p.id AND d.deleted = 0)
	OR NOT EXISTS (SELECT 1 FROM directory_entry d WHERE d.tenant = p.tenant AND d.person_id = p.id)
		AND NOT EXISTS (SELECT 1 FROM person_identity l WHERE l.tenant = p.tenant AND l.person_id = p.id AND l.patient <> ''))`

func entryPlace(tenant, id string) keys.Place {
	return keys.Place{Tenant: tenant, Table: "directory_entry", Column: "body", Row: id}
}

func directoryValue(tenant, id string) keys.Place {
	return keys.Place{Tenant: tenant, Table: "directory_key", Column: "value", Row: id}
}

// directoryIndex gives the blind indexes of a key, the one to be written first.
func (p *ports) directoryIndex(ctx context.Context, tenant, value string) ([]string, error) {
	return p.sealer.Blind(ctx, p, keys.Place{Tenant: tenant, Table: "directory_key", Column: "key"}, value)
}

func keyText(k directory.Key) string { return k.Kind + ":" + k.Value }

// StaffByID implements directory.Store.
func (p *ports) StaffByID(ctx context.Context, tenant, id string) (directory.Entry, error) {
	all, err := p.staff(ctx, tenant, []string{id})
	if err == nil && len(all) == 0 {
		err = notFound("staff")
	}
	if err != nil {
		return directory.Entry{}, err
	}
	return all[0], nil
}

// StaffByKey implements directory.Store.
func (p *ports) StaffByKey(ctx context.Context, tenant string, k directory.Key) (directory.Entry, error) {
	blind, err := p.directoryIndex(ctx, tenant, keyText(k))
	if err != nil {
		return directory.Entry{}, err
	}
	marks, args := in(blind, tenant)
	id, err := one(ctx, p, "staff", scanText, `SELECT person_id FROM directory_key WHERE tenant = $1 AND key IN (`+marks+`)`, args...)
	if err != nil {
		return directory.Entry{}, err
	}
	return p.StaffByID(ctx, tenant, id)
}

// StaffCount implements directory.Store.
func (p *ports) StaffCount(ctx context.Context, tenant string) (int, error) {
	n, err := one(ctx, p, "staff", scanInt, `SELECT COUNT(*) FROM person p WHERE p.tenant = $1 AND `+staffed, tenant)
	return int(n), err
}

// StaffPage implements directory.Store.
func (p *ports) StaffPage(ctx context.Context, tenant string, skip, limit int) ([]directory.Entry, error) {
	ids, err := list(ctx, p, scanText, `SELECT p.id FROM person p WHERE p.tenant = $1 AND `+staffed+`
		ORDER BY p.created, p.id LIMIT $2 OFFSET $3`, tenant, limit, skip)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return p.staff(ctx, tenant, ids)
}

// StaffOfGroup implements directory.Store.
func (p *ports) StaffOfGroup(ctx context.Context, tenant, group string) ([]string, error) {
	return list(ctx, p, scanText, `SELECT person_id FROM directory_member WHERE tenant = $1 AND group_id = $2 ORDER BY person_id`, tenant, group)
}

// staff gives the entries of some accounts that a directory may see.
func (p *ports) staff(ctx context.Context, tenant string, ids []string) ([]directory.Entry, error) {
	marks, args := in(ids, tenant)
	type linked struct {
		personRow
		link identity.Identity
	}
	rows, err := list(ctx, p, func(r Row) (v linked, err error) {
		v.link, err = v.scan(r)
		return v, err
	}, `SELECT `+personColumns+`
		FROM person p LEFT JOIN person_identity i ON i.tenant = p.tenant AND i.person_id = p.id
		WHERE p.tenant = $1 AND p.id IN (`+marks+`) AND `+staffed+` ORDER BY p.created, p.id, i.position`, args...)
	if err != nil {
		return nil, err
	}
	kept, err := p.keptEntries(ctx, tenant, marks, args)
	if err != nil {
		return nil, err
	}
	var out []directory.Entry
	for i := 0; i < len(rows); {
		next := i + 1
		links := []identity.Identity{rows[i].link}
		for ; next < len(rows) && rows[next].ID == rows[i].ID; next++ {
			links = append(links, rows[next].link)
		}
		person, err := rows[i].opened(ctx, p, links)
		if err != nil {
			return nil, err
		}
		e, named := kept[person.ID]
		if e.Person = person; !named {
			e.Active = !person.Disabled
		}
		out, i = append(out, e), next
	}
	return out, nil
}

// keptEntries gives what the directory says of accounts, by their ids.
func (p *ports) keptEntries(ctx context.Context, tenant, marks string, args []any) (map[string]directory.Entry, error) {
	type row struct {
		directory.Entry
		id, body string
	}
	rows, err := list(ctx, p, func(r Row) (v row, err error) {
		return v, r.Scan(&v.id, &v.Version, into(&v.Modified), into(&v.Deleted), &v.body)
	}, `SELECT person_id, version, modified, deleted, body FROM directory_entry WHERE tenant = $1 AND person_id IN (`+marks+`)`, args...)
	if err != nil {
		return nil, err
	}
	members, err := list(ctx, p, func(r Row) (v [2]string, err error) {
		return v, r.Scan(&v[0], &v[1])
	}, `SELECT person_id, group_id FROM directory_member WHERE tenant = $1 AND person_id IN (`+marks+`) ORDER BY person_id, group_id`, args...)
	if err != nil {
		return nil, err
	}
	out := map[string]directory.Entry{}
	for _, v := range rows {
		if err := p.openDoc(ctx, entryPlace(tenant, v.id), v.body, &v.Kept); err != nil {
			return nil, err
		}
		out[v.id] = v.Entry
	}
	for _, m := range members {
		e := out[m[0]]
		e.Groups = append(e.Groups, m[1])
		out[m[0]] = e
	}
	return out, nil
}

// PutEntry implements directory.Store.
func (p *ports) PutEntry(ctx context.Context, e directory.Entry, ifVersion int) (err error) {
	tenant, id := e.Person.Tenant, e.Person.ID
	if e.Version, err = nextVersion(e.Version, ifVersion); err != nil {
		return err
	}
	body, err := p.sealDoc(ctx, entryPlace(tenant, id), e.Kept)
	if err != nil {
		return err
	}
	err = p.atomic(ctx, func(p *ports) error {
		ok, err := p.won(ctx, `INSERT INTO directory_entry (tenant, person_id, version, modified, deleted, body) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tenant, person_id) DO UPDATE SET version = excluded.version, modified = excluded.modified, deleted = excluded.deleted,
				body = excluded.body WHERE directory_entry.version = $7`,
			tenant, id, e.Version, micros(e.Modified), micros(e.Deleted), body, ifVersion)
		if err == nil && !ok {
			err = errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
		}
		if err != nil {
			return err
		}
		if err := p.write(ctx, `DELETE FROM directory_member WHERE tenant = $1 AND person_id = $2`, tenant, id); err != nil {
			return err
		}
		for _, g := range e.Groups {
			if err := p.write(ctx, `INSERT INTO directory_member (tenant, group_id, person_id) VALUES ($1, $2, $3)`, tenant, g, id); err != nil {
				return err
			}
		}
		return p.putKeys(ctx, e)
	})
	if errs.Is(err, errs.Conflict) {
		return errs.Wrap(err, errs.Conflict, "scim-key-taken", "The externalId or an e-mail address is that of another account.")
	}
	return err
}

// putKeys replaces the keys of an entry.
func (p *ports) putKeys(ctx context.Context, e directory.Entry) error {
	tenant, id := e.Person.Tenant, e.Person.ID
	if err := p.write(ctx, `DELETE FROM directory_key WHERE tenant = $1 AND person_id = $2`, tenant, id); err != nil {
		return err
	}
	for i, k := range e.Keys() {
		row := id + "/" + strconv.Itoa(i)
		blind, err := p.directoryIndex(ctx, tenant, keyText(k))
		if err != nil {
			return err
		}
		if err := p.keyFree(ctx, tenant, id, blind[1:]); err != nil {
			return err
		}
		value, err := p.sealText(ctx, directoryValue(tenant, row), keyText(k))
		if err != nil {
			return err
		}
		err = p.write(ctx, `INSERT INTO directory_key (tenant, id, person_id, key, value) VALUES ($1, $2, $3, $4, $5)`, tenant, row, id, blind[0], value)
		if err != nil {
			return err
		}
	}
	return nil
}

// keyFree refuses a key that another account has under an index key which is being
// replaced; the unique index sees only one.
func (p *ports) keyFree(ctx context.Context, tenant, id string, blind []string) error {
	if len(blind) == 0 {
		return nil
	}
	marks, args := in(blind, tenant, id)
	n, err := one(ctx, p, "staff", scanInt, `SELECT COUNT(*) FROM directory_key WHERE tenant = $1 AND person_id <> $2 AND key IN (`+marks+`)`, args...)
	if err == nil && n > 0 {
		return errs.New(errs.Conflict, "scim-key-taken", "The externalId or an e-mail address is that of another account.")
	}
	return err
}

// OtherAdministrator implements directory.Store. The rows of administrators are locked
// by a change that changes nothing: of two that go at once, the second one waits.
func (p *ports) OtherAdministrator(ctx context.Context, tenant, id string) (bool, error) {
	err := p.write(ctx, `UPDATE person SET disabled = FALSE WHERE tenant = $1 AND role = 'admin' AND disabled = FALSE`, tenant)
	if err != nil {
		return false, err
	}
	n, err := one(ctx, p, "person", scanInt,
		`SELECT COUNT(*) FROM person WHERE tenant = $1 AND id <> $2 AND role = 'admin' AND disabled = FALSE`, tenant, id)
	if err != nil || n == 0 {
		return false, err
	}
	n, err = one(ctx, p, "person", scanInt, `SELECT COUNT(*) FROM operator_role WHERE tenant = $1 AND person_id = $2 AND role = 'operator'`, tenant, id)
	if err != nil || n == 0 {
		return err == nil, err
	}
	n, err = one(ctx, p, "person", scanInt, `SELECT COUNT(*) FROM operator_role o JOIN person p ON p.tenant = o.tenant AND p.id = o.person_id
		WHERE o.tenant = $1 AND o.person_id <> $2 AND o.role = 'operator' AND p.disabled = FALSE`, tenant, id)
	return n > 0, err
}
