package reminder

import (
	"context"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// Template names the notice.
const Template = "apps-kept"

// page is how many people are asked for at a time.
const page = 500

// Store is the port of the package.
type Store interface {
	// Keepers gives, in order and after one of them, at most limit ids of people
	// who made a grant before a time that stands at now and lasts while they are
	// away.
	Keepers(ctx context.Context, tenant, after string, before, now time.Time, limit int) ([]string, error)
	// NoticeByID and AddNotice are those of the outbox.
	NoticeByID(ctx context.Context, tenant, id string) (outbox.Notice, error)
	AddNotice(ctx context.Context, n outbox.Notice) error
}

// Service reminds people.
type Service struct {
	Store Store
	Clock clock.Clock
	// Every is how often somebody is told at most; zero tells nobody.
	Every time.Duration
	// Hasher makes the ids of notices, by which nobody is told twice.
	Hasher func(ctx context.Context, tenant string) (ids.Hasher, error)
}

// Remind tells everybody of a tenant who let an app keep access longer ago than
// Every, once in each period of that length. It may be run as often as one likes,
// and again after it broke off. Errors: errs.Unavailable.
func (s *Service) Remind(ctx context.Context, tenant string) error {
	if s.Every <= 0 {
		return nil
	}
	hasher, err := s.Hasher(ctx, tenant)
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	seconds := int64(s.Every / time.Second)
	period := now.Unix() / seconds
	// Under the key of the period's beginning, so that a new one tells nobody twice.
	hasher = hasher.At(time.Unix(period*seconds, 0))
	for after := ""; ; {
		people, err := s.Store.Keepers(ctx, tenant, after, now.Add(-s.Every), now, page)
		if err != nil {
			return err
		}
		for _, person := range people {
			n := outbox.Notice{
				Tenant: tenant, ID: hasher.Hash("reminder", person+"|"+strconv.FormatInt(period, 10)), PersonID: person, Template: Template, Created: now,
			}
			if err := s.tell(ctx, n); err != nil {
				return err
			}
		}
		if len(people) < page {
			return nil
		}
		after = people[len(people)-1]
	}
}

// tell leaves the notice unless it is there.
func (s *Service) tell(ctx context.Context, n outbox.Notice) error {
	_, err := s.Store.NoticeByID(ctx, n.Tenant, n.ID)
	if !errs.Is(err, errs.NotFound) {
		return err
	}
	err = s.Store.AddNotice(ctx, n)
	if errs.Is(err, errs.Conflict) {
		// A node that lost its turn was still at it.
		return nil
	}
	return err
}
