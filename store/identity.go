package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/watch"
)

// PersonByID implements identity.Store.
func (p *ports) PersonByID(ctx context.Context, tenant, id string) (identity.Person, error) {
	return p.person(ctx, `p.id = $2`, tenant, id)
}

// PersonByUsername implements identity.Store.
func (p *ports) PersonByUsername(ctx context.Context, tenant, username string) (identity.Person, error) {
	blind, err := p.usernameIndex(ctx, tenant, username)
	if err != nil {
		return identity.Person{}, err
	}
	marks, args := in(blind, tenant)
	return p.person(ctx, `p.username_key IN (`+marks+`)`, args...)
}

// in gives the marks of a list behind the first argument, and all arguments.
func in(values []string, first ...any) (string, []any) {
	marks := make([]string, len(values))
	for i, v := range values {
		first = append(first, v)
		marks[i] = "$" + strconv.Itoa(len(first))
	}
	return strings.Join(marks, ", "), first
}

// PersonByIdentity implements identity.Store. Of several accounts linked to
// the resource, a verified link comes first.
func (p *ports) PersonByIdentity(ctx context.Context, tenant string, ref fhir.Reference) (identity.Person, error) {
	return p.person(ctx, `p.id = (
		SELECT person_id FROM person_identity WHERE tenant = $1 AND resource = $2
		ORDER BY verified DESC, person_id LIMIT 1)`, tenant, ref.String())
}

// person reads an account, one row for each of its identities.
func (p *ports) person(ctx context.Context, where string, args ...any) (identity.Person, error) {
	var v personRow
	ids, err := list(ctx, p, v.scan, `SELECT `+personColumns+`
		FROM person p LEFT JOIN person_identity i ON i.tenant = p.tenant AND i.person_id = p.id
		WHERE p.tenant = $1 AND `+where+` ORDER BY i.position`, args...)
	if err != nil {
		return identity.Person{}, err
	}
	return v.opened(ctx, p, ids)
}

const personColumns = `p.tenant, p.id, p.username, p.name, p.role, p.language, p.disabled, p.created, p.high_risk, p.look, p.travels,
	COALESCE(i.resource, ''), COALESCE(i.patient, ''), COALESCE(i.verified, FALSE)`

// personRow is an account with its name as it is stored.
type personRow struct {
	identity.Person
	name []byte
}

func (v *personRow) scan(r Row) (identity.Identity, error) { return v.scanWith(r) }

// scanWith reads the account, one of its identities, and what stands behind
// personColumns.
func (v *personRow) scanWith(r Row, behind ...any) (id identity.Identity, err error) {
	err = r.Scan(append([]any{&v.Tenant, &v.ID, &v.Username, &v.name, &v.Role, &v.Language, &v.Disabled, into(&v.Created), &v.HighRisk, &v.Look, into(&v.Travels),
		reference{&id.Resource}, &id.Patient, &id.Verified}, behind...)...)
	return id, err
}

// opened gives the account of the rows that were read.
func (v *personRow) opened(ctx context.Context, p *ports, ids []identity.Identity) (identity.Person, error) {
	if len(ids) == 0 {
		return identity.Person{}, notFound("person")
	}
	plain, err := p.open(ctx, personName(v.Person), v.name)
	if err != nil {
		return identity.Person{}, err
	}
	v.Name = string(plain)
	if ids[0] != (identity.Identity{}) {
		v.Identities = ids
	}
	v.Username, err = p.openText(ctx, personUsername(v.Person), v.Username)
	return v.Person, err
}

func personName(v identity.Person) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "person", Column: "name", Row: v.ID}
}

func personUsername(v identity.Person) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "person", Column: "username", Row: v.ID}
}

// usernameIndex gives the blind indexes by which an account is found, the one
// to be written first.
func (p *ports) usernameIndex(ctx context.Context, tenant, username string) ([]string, error) {
	place := keys.Place{Tenant: tenant, Table: "person", Column: "username_key"}
	return p.sealer.Blind(ctx, p, place, identity.FoldUsername(username))
}

// PutPerson implements identity.Store.
func (p *ports) PutPerson(ctx context.Context, v identity.Person) error {
	name, err := p.seal(ctx, personName(v), []byte(v.Name))
	if err != nil {
		return err
	}
	username, err := p.sealText(ctx, personUsername(v), v.Username)
	if err != nil {
		return err
	}
	blind, err := p.usernameIndex(ctx, v.Tenant, v.Username)
	if err != nil {
		return err
	}
	err = p.atomic(ctx, func(p *ports) error {
		if err := p.usernameFree(ctx, v, blind[1:]); err != nil {
			return err
		}
		err := p.write(ctx, `INSERT INTO person (tenant, id, username, username_key, name, role, language, disabled, created, high_risk, look, travels)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
			ON CONFLICT (tenant, id) DO UPDATE SET username = excluded.username, username_key = excluded.username_key,
				name = excluded.name, role = excluded.role, language = excluded.language, disabled = excluded.disabled,
				high_risk = excluded.high_risk, look = excluded.look, travels = excluded.travels`,
			v.Tenant, v.ID, username, blind[0], name, string(v.Role), v.Language, v.Disabled, micros(v.Created), v.HighRisk, v.Look, micros(v.Travels))
		if err != nil {
			return err
		}
		if v.Disabled {
			err = p.noteRevoked(ctx, journal.Entry{Tenant: v.Tenant, Kind: journal.Person, Subject: v.ID})
		}
		if err != nil {
			return err
		}
		if err := p.putIdentities(ctx, v); err != nil {
			return err
		}
		return p.changed(ctx, watch.Change{Tenant: v.Tenant, Kind: watch.Person, Key: v.ID})
	})
	if errs.Is(err, errs.Conflict) {
		return errs.Wrap(err, errs.Conflict, "username-taken", "The username belongs to another account.")
	}
	return err
}

// SaveChoices implements identity.Store.
func (p *ports) SaveChoices(ctx context.Context, v identity.Person) error {
	return p.savePerson(ctx, v.Tenant, v.ID, `UPDATE person SET language = $3, look = $4, travels = $5 WHERE tenant = $1 AND id = $2`,
		v.Tenant, v.ID, v.Language, v.Look, micros(v.Travels))
}

// SaveHighRisk implements identity.Store.
func (p *ports) SaveHighRisk(ctx context.Context, tenant, id string, on bool) error {
	return p.savePerson(ctx, tenant, id, `UPDATE person SET high_risk = $3 WHERE tenant = $1 AND id = $2`, tenant, id, on)
}

// savePerson changes some columns of an account, and tells the other nodes.
func (p *ports) savePerson(ctx context.Context, tenant, id, statement string, args ...any) error {
	return p.atomic(ctx, func(p *ports) error {
		if err := p.write(ctx, statement, args...); err != nil {
			return err
		}
		return p.changed(ctx, watch.Change{Tenant: tenant, Kind: watch.Person, Key: id})
	})
}

// usernameFree refuses a username that another account has under an index key
// which is being replaced; the unique index sees only one key.
func (p *ports) usernameFree(ctx context.Context, v identity.Person, blind []string) error {
	if len(blind) == 0 {
		return nil
	}
	marks, args := in(blind, v.Tenant, v.ID)
	n, err := one(ctx, p, "person", scanInt,
		`SELECT COUNT(*) FROM person WHERE tenant = $1 AND id <> $2 AND username_key IN (`+marks+`)`, args...)
	if err == nil && n > 0 {
		return errs.New(errs.Conflict, "username-taken", "The username belongs to another account.")
	}
	return err
}

func (p *ports) putIdentities(ctx context.Context, v identity.Person) error {
	err := p.write(ctx, `DELETE FROM person_identity WHERE tenant = $1 AND person_id = $2`, v.Tenant, v.ID)
	if err != nil {
		return err
	}
	for i, link := range v.Identities {
		err := p.write(ctx, `INSERT INTO person_identity (tenant, person_id, position, resource, patient, verified)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			v.Tenant, v.ID, i, link.Resource.String(), link.Patient, link.Verified)
		if err != nil {
			return err
		}
	}
	return nil
}
