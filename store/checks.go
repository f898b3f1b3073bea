package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
)

// Checked is an engine that knows more worth asking. They read only.
type Checked interface {
	Checks(c clock.Clock) []health.Check
}

// Checks lists what mandate doctor asks about the store. They read only.
func (s *Store) Checks() []health.Check {
	if e, ok := s.engine.(Checked); ok {
		return append(s.commonChecks(), e.Checks(s.clock)...)
	}
	return s.commonChecks()
}

// CommonChecks lists the checks of every engine, for documentation: they cannot
// be asked.
func CommonChecks() []health.Check { return new(Store).commonChecks() }

func (s *Store) commonChecks() []health.Check {
	return []health.Check{
		{ID: "store-reachable", Looks: "whether the store answers", Remedy: "start the database, or correct its address", Look: func(ctx context.Context) health.Finding {
			if err := s.Ping(ctx); err != nil {
				return health.Fail("the store does not answer")
			}
			return health.Good("the store answers")
		}},
		{ID: "store-migrations", Looks: "whether the tables are those of this program", Remedy: "run mandate migrate up, or start the newer program", Look: s.checkMigrations},
		{ID: "store-buried-jobs", Looks: "work that failed for good", Remedy: "mandate jobs tells the reasons; mend the cause, then mandate jobs retry", Look: s.count("SELECT COUNT(*) FROM job WHERE buried <> 0", 0,
			"%d pieces of work failed for good")},
		{ID: "store-expired-rows", Looks: "whether rows past their end are removed", Remedy: "look for \"housekeeping failed\" in the log; see that a node holds the lease housekeeping", Look: s.checkExpired},
		{ID: "store-leases", Looks: "whether each leader-only job is done by some node", Remedy: "look for \"job not led\" and \"job failed\" in the log", Look: s.checkLeases},
		{ID: "audit-seal-lag", Looks: "whether audit events are sealed soon", Remedy: "see that a node holds the lease audit-seal; look for \"job failed\" in the log", Look: s.checkSealLag},
		{ID: "keys-signing-age", Looks: "the age of the newest signing keys", Remedy: "rotate them: mandate keys rotate", Look: s.checkSigningAge},
		{ID: "keys-signing-spare", Looks: "whether each tenant has a key for access tokens and one for id_tokens", Remedy: "start the server once; it makes what is missing", Look: s.checkSigningUses},
	}
}

const (
	// maxSigningAge is how old the key that signs should grow.
	maxSigningAge = 90 * 24 * time.Hour
	// longOverdue is after what time a job that nobody does is remarked on.
	longOverdue = 2 * time.Minute
	// maxLeft is how many expired rows may be left behind.
	maxLeft = 100000
)

// Unread is the answer of a check whose question the store refused.
func Unread(err error) health.Finding {
	// The text of a driver may hold what was stored; its kind does not.
	return health.Unseen("the store refused the question (%T)", err)
}

func (s *Store) checkMigrations(ctx context.Context) health.Finding {
	all, err := s.Migrations(ctx)
	if err != nil {
		return Unread(err)
	}
	missing, unknown := 0, 0
	for _, m := range all {
		if m.Applied.IsZero() {
			missing++
		} else if m.Unknown {
			unknown++
		}
	}
	return health.Want(missing+unknown == 0, "%d migrations applied, %d missing, %d of a newer program", len(all)-missing, missing, unknown)
}

// ask reads one number.
func (s *Store) ask(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = s.engine.Read().QueryRow(ctx, sql, args...).Scan(&n)
	return n, err
}

// count wishes a number to be at most so large.
func (s *Store) count(sql string, most int64, text string) func(context.Context) health.Finding {
	return func(ctx context.Context) health.Finding {
		n, err := s.ask(ctx, sql)
		if err != nil {
			return Unread(err)
		}
		return health.Wish(n <= most, text, n)
	}
}

// checkLeases counts the jobs that are due for long and that nobody does. Where
// no lease is held at all no server runs, and nothing is expected of one.
func (s *Store) checkLeases(ctx context.Context) health.Finding {
	held, err := s.ask(ctx, "SELECT COUNT(*) FROM lease WHERE ends > "+s.dialect.Now)
	if err != nil {
		return Unread(err)
	}
	if held == 0 {
		return health.Note("no server works at this moment")
	}
	left, err := s.ask(ctx, "SELECT COUNT(*) FROM ("+s.overdue()+") AS jobs WHERE late > $1", longOverdue.Microseconds())
	if err != nil {
		return Unread(err)
	}
	return health.Wish(left == 0, "%d jobs are done at this moment, %d have been due for over %s", held, left, longOverdue)
}

// checkSealLag looks for the oldest event that is not sealed.
func (s *Store) checkSealLag(ctx context.Context) health.Finding {
	oldest, err := s.oldestUnsealed(ctx)
	if err != nil {
		return Unread(err)
	}
	if oldest == 0 {
		return health.Good("none waits")
	}
	lag := s.clock.Now().Sub(time.UnixMicro(oldest)).Round(time.Second)
	return health.Wish(lag <= longOverdue, "the oldest that waits is %s old", lag)
}

func (s *Store) checkExpired(ctx context.Context) health.Finding {
	limit := s.clock.Now().Add(-25 * time.Hour).UnixMicro()
	n, err := s.ask(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM refresh_chain WHERE expires < $1 LIMIT 100001) AS late", limit)
	if err != nil {
		return Unread(err)
	}
	return health.Wish(n <= maxLeft, "%d refresh tokens ended over a day ago and are still kept", n)
}

func (s *Store) checkSigningAge(ctx context.Context) health.Finding {
	oldest, err := s.ask(ctx, "SELECT COALESCE(MIN(newest), 0) FROM (SELECT MAX(created) AS newest FROM signing_key WHERE retired = 0 GROUP BY tenant, key_use) AS k")
	if err != nil {
		return Unread(err)
	}
	if oldest == 0 {
		return health.Note("there is no signing key yet; the first start makes them")
	}
	age := s.clock.Now().Sub(time.UnixMicro(oldest))
	return health.Wish(age <= maxSigningAge, "the oldest key that signs was made %d days ago", int(age.Hours()/24))
}

func (s *Store) checkSigningUses(ctx context.Context) health.Finding {
	lacking, err := s.ask(ctx, "SELECT COUNT(*) FROM (SELECT tenant FROM signing_key WHERE retired = 0 GROUP BY tenant HAVING COUNT(DISTINCT key_use) < 2) AS k")
	if err != nil {
		return Unread(err)
	}
	return health.Wish(lacking == 0, "%d tenants lack a signing key", lacking)
}
