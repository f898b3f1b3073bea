package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
)

// noteErased notes for the journal, and gives, whom the destruction of keys at now
// left without any: what they encrypted is erased, also in every backup from before.
// The end of a single version, as after a rotation, is none: a backup from
// before still holds values under it.
func (p *ports) noteErased(ctx context.Context, table string, now time.Time) ([]journal.Entry, error) {
	subject := `subject`
	if table == "tenant_key" {
		subject = `''`
	}
	erased, err := list(ctx, p, func(r Row) (e journal.Entry, err error) {
		e.Kind = journal.Erasure
		err = r.Scan(&e.Tenant, &e.Subject)
		return e, err
	}, `SELECT DISTINCT tenant, `+subject+` FROM `+table+` k WHERE destroyed = $1 AND NOT EXISTS (
		SELECT 1 FROM `+table+` live WHERE live.tenant = k.tenant AND live.destroyed = 0`+sameSubject(table)+`)`, micros(now))
	if err != nil {
		return nil, err
	}
	for _, e := range erased {
		if err := p.noteRevoked(ctx, e); err != nil {
			return nil, err
		}
	}
	return erased, nil
}

func sameSubject(table string) string {
	if table == "tenant_key" {
		return ""
	}
	return ` AND live.subject = k.subject`
}

// Erase destroys every data key of a patient, or with an empty subject every key
// of a tenant, as it was destroyed before a restore. It reports whether there
// was one. Errors: errs.Unavailable.
func (s *Store) Erase(ctx context.Context, tenant, subject string) (bool, error) {
	now := s.clock.Now()
	err := s.inTx(ctx, func(p *ports) error {
		due := `UPDATE data_key SET destroy = $1 WHERE tenant = $2 AND subject = $3 AND destroyed = 0`
		args := []any{micros(now), tenant, subject}
		if subject == "" {
			due, args = `UPDATE tenant_key SET destroy = $1 WHERE tenant = $2 AND destroyed = 0`, args[:2]
		}
		n, err := p.exec(ctx, due, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return errs.New(errs.NotFound, "data-key-not-found", "There is no such key.")
		}
		_, err = p.DestroyKeys(ctx, now)
		return err
	})
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil, err
}
