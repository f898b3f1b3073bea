package store

import (
	"context"
	"time"
)

// expiring is a table whose rows lose their meaning.
type expiring struct {
	table string
	// key are the columns of its primary key, end the one it is cleaned by.
	key, end string
	// keep is for how long a row stays after its end.
	keep time.Duration
	// only narrows the rows.
	only string
}

// Rows that only make something possible (codes, sessions) may go at once; a
// day is kept so that a late replay is still told from an unknown value. Rows
// that forbid something (guards, revocations) must outlast every clock that
// is wrong by less than keep.
func (p *ports) expirings() []expiring {
	const day = 24 * time.Hour
	// What a journal still lacks stays for as long as that takes.
	brought := ""
	if p.journals {
		brought = " AND journaled = TRUE"
	}
	return []expiring{
		{"auth_code", "tenant, hash", "expires", day, ""},
		{"refresh_token", "tenant, hash", "expires", day, ""},
		{"device_code", "tenant, hash", "expires", day, ""},
		{"refresh_chain", "tenant, grant_id", "expires", day, ""},
		{"launch", "tenant, hash", "expires", day, ""},
		{"pending", "tenant, id", "expires", day, ""},
		{"pushed_request", "tenant, hash", "expires", day, ""},
		{"used_assertion", "tenant, guard", "expires", time.Hour, ""},
		{"spent_challenge", "tenant, hash", "expires", time.Hour, ""},
		{"revoked_token", "tenant, jti", "expires", day + time.Hour, ""},
		{"revocation", "tenant, id", "ends", 0, brought},
		{"login_session", "tenant, hash", "ends", 30 * day, ""},
		{"upstream_session", "tenant, hash", "ends", 30 * day, ""},
		{"upstream_answer", "tenant, id", "ends", time.Hour, ""},
		{"flight", "tenant, client_id, at, id", "at", 14 * day, ""},
		{"login_device", "tenant, person_id, hash", "last_seen", 400 * day, ""},
		{"account_recovery", "tenant, id", "ends", 30 * day, ""},
		{"login_ticket", "tenant, id", "ends", day, ""},
		{"proxy_request", "tenant, id", "due", 0, ""},
		{"login_failure", "tenant, key, at, id", "at", day, ""},
		{"login_consecutive", "tenant, key", "newest", 400 * day, ""},
		{"login_failure_key", "tenant, key", "newest", day, ""},
	}
}

const (
	// cleanBatch is how many rows one transaction deletes: few enough that
	// nobody waits for it.
	cleanBatch = 1000
	// cleanRounds bounds the work of one call per table: three million rows, more
	// than a minute can bring.
	cleanRounds = 3000
)

// Now gives the time of the database's own clock. Errors: errs.Unavailable.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	us, err := one(ctx, s.ports, "time", scanInt, `SELECT `+s.engine.Dialect().Now)
	return fromMicros(us), err
}

// Housekeep deletes what has long expired at now, in transactions of at most
// 1,000 rows, and gives the number of rows deleted. Failed log-ins are kept
// for a day, so windows must not be longer. What it leaves for the next call
// does no harm. Safe to run on several nodes at once. Errors:
// errs.Unavailable.
func (s *Store) Housekeep(ctx context.Context, now time.Time) (int64, error) {
	total, err := s.forgetChanges(ctx)
	if err != nil {
		return total, err
	}
	permits, err := s.forgetPermits(ctx)
	if total += permits; err != nil {
		return total, err
	}
	records, err := s.forgetRecords(ctx)
	if total += records; err != nil {
		return total, err
	}
	for _, e := range s.expirings() {
		sql := `DELETE FROM ` + e.table + ` WHERE (` + e.key + `) IN (SELECT ` + e.key + ` FROM ` + e.table +
			` WHERE ` + e.end + ` < $1` + e.only + ` ORDER BY ` + e.end + ` LIMIT $2` + s.engine.Dialect().SkipLocked + `)`
		for range cleanRounds {
			n, err := s.exec(ctx, sql, micros(now.Add(-e.keep)), cleanBatch)
			total += n
			if err != nil {
				return total, err
			}
			if n < cleanBatch {
				break
			}
		}
	}
	return total, nil
}
