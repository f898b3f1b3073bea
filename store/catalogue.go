package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/errs"
)

// notInBackups are the tables that a backup leaves out, each for its reason.
// Every other table of the catalogue is in it, so that a new one cannot be
// forgotten.
func notInBackups() map[string]string {
	return map[string]string{
		"schema_migration": "the manifest of a backup names the migrations, and a restore runs them",
		"lease":            "which node does a job is true only among running nodes",
		"change":           "what running nodes should forget; a restored store is met by nodes that know nothing",
		"restore":          "tells of this very store",
	}
}

// kindOf gives the kind of a column type.
func kindOf(typ string) (backup.Kind, bool) {
	switch typ {
	case "text":
		return backup.Text, true
	case "bigint", "integer":
		return backup.Integer, true
	case "boolean":
		return backup.Boolean, true
	case "bytea", "blob":
		return backup.Bytes, true
	}
	return "", false
}

// tables gives all tables that belong in a backup, those first that others
// refer to. Errors: errs.Internal for a column type that a backup has no form
// for.
func (p *ports) tables(ctx context.Context) ([]backup.Table, error) {
	type column struct{ table, name, typ string }
	columns, err := list(ctx, p, func(r Row) (c column, err error) {
		err = r.Scan(&c.table, &c.name, &c.typ)
		return c, err
	}, p.dialect.Columns)
	if err != nil {
		return nil, err
	}
	left := notInBackups()
	byName := map[string]backup.Table{}
	for _, c := range columns {
		if left[c.table] != "" {
			continue
		}
		kind, ok := kindOf(c.typ)
		if !ok {
			return nil, errs.New(errs.Internal, "backup-column", fmt.Sprintf("Column %s of table %s has the type %s, which a backup has no form for.", c.name, c.table, c.typ))
		}
		t := byName[c.table]
		t.Name, t.Columns = c.table, append(t.Columns, backup.Column{Name: c.name, Kind: kind})
		byName[c.table] = t
	}
	return p.ordered(ctx, byName)
}

// ordered puts each table behind those that it refers to.
func (p *ports) ordered(ctx context.Context, byName map[string]backup.Table) ([]backup.Table, error) {
	type reference struct{ from, to string }
	all, err := list(ctx, p, func(r Row) (v reference, err error) {
		err = r.Scan(&v.from, &v.to)
		return v, err
	}, p.dialect.References)
	if err != nil {
		return nil, err
	}
	var out []backup.Table
	done := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		t, known := byName[name]
		if done[name] || !known {
			return
		}
		done[name] = true
		for _, ref := range all {
			if ref.from == name {
				add(ref.to)
			}
		}
		out = append(out, t)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		add(name)
	}
	return out, nil
}
