package identity

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/jobs"
)

// Why a session ended, as the audit log records it; signing out has no reason.
const (
	endedElsewhere = "session-copied"
	endedByOwner   = "ended-by-owner"
	endedUpstream  = "ended-upstream"
)

func (s *Service) browser(secret string) string {
	if secret == "" {
		return ""
	}
	return s.d.Hasher.Hash("session-browser", secret)
}

func (s *Service) device(secret string) string {
	if secret == "" {
		return ""
	}
	return s.d.Hasher.Hash("device", secret)
}

// bound reports whether the request comes from the browser of the log-in.
func (s *Service) bound(sess Session, m Meta) bool {
	return sess.Browser == "" || ids.Equal(sess.Browser, s.browser(m.Browser))
}

// know judges a finished log-in and makes its device known. It gives the secret that
// the device is to keep when it has none yet, and what the audit log is to tell. The
// caller must refuse what the assessment refuses.
func (s *Service) know(ctx context.Context, tx Tx, sess *Session, t try, now time.Time) (fresh string, a Assessment, err error) {
	if sess.Level() == "" {
		return "", a, nil
	}
	if a, err = s.assess(ctx, tx, *sess, t, now); err != nil || a.refusal() != nil {
		return "", a, err
	}
	fresh, err = s.keep(ctx, tx, sess, t.meta, now)
	return fresh, a, err
}

// keep makes the device of a finished log-in known, and gives the secret it is to
// keep when it has none yet. A shared device is never known.
func (s *Service) keep(ctx context.Context, tx Tx, sess *Session, m Meta, now time.Time) (fresh string, err error) {
	if sess.Shared || sess.Browser == "" {
		return "", nil
	}
	secret := m.Device
	if secret == "" {
		fresh = s.d.Hasher.Own(s.d.IDs)
		secret = fresh
	}
	sess.Device = s.device(secret)
	return fresh, tx.PutDevice(ctx, Device{
		Tenant: sess.Tenant, PersonID: sess.PersonID, Hash: sess.Device, Agent: sess.Agent, Network: sess.Network, Created: now, LastSeen: now,
	})
}

// replace puts a session in the place of another. The secret of the other one is
// dead (SE-14); what was granted in it stands, unless it was half a log-in.
func (s *Service) replace(ctx context.Context, tx Tx, old Session, next *Session, now time.Time) error {
	if old.Level() == "" {
		return tx.EndSession(ctx, old.Tenant, old.Hash, now)
	}
	if next.Family == "" {
		next.Family = old.Hash
	}
	return tx.ReplaceSession(ctx, old.Tenant, old.Hash, next.Family, now)
}

// Lapsed gives the account of a finished log-in that has idled out or run its whole time
// in the browser in which it began, so that what was typed there finds its owner again.
// It proves nothing. Errors: errs.Unauthenticated with code session-ended for one that
// lives, was ended or was replaced; errs.Unavailable.
func (s *Service) Lapsed(ctx context.Context, tenant, secret string, m Meta) (Person, error) {
	if secret == "" {
		return Person{}, sessionEnded()
	}
	sess, p, err := s.d.Store.SessionWithPerson(ctx, tenant, s.hash(secret))
	if errs.Is(err, errs.NotFound) {
		return Person{}, sessionEnded()
	}
	if err != nil {
		return Person{}, err
	}
	if sess.Live(s.now()) || !sess.Ended.IsZero() || !sess.Replaced.IsZero() || sess.Level() == "" || !s.bound(sess, m) || p.Disabled {
		return Person{}, sessionEnded()
	}
	return p, nil
}

// elsewhere ends a session whose cookie came from another browser: it was copied,
// and nobody can tell which of the two is the person.
func (s *Service) elsewhere(ctx context.Context, sess Session, m Meta, now time.Time) error {
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		fresh, err := tx.SessionByHash(ctx, sess.Tenant, sess.Hash)
		if err != nil || !fresh.Live(now) {
			return err
		}
		return s.endOne(ctx, tx, fresh, endedElsewhere, m, now)
	})
	if err != nil {
		return err
	}
	return sessionEnded()
}

// endOne ends a live session and those that it replaced. Apps are told of it later, or not at all if this is
// undone.
func (s *Service) endOne(ctx context.Context, tx Tx, sess Session, reason string, m Meta, now time.Time) error {
	over := []string{sess.Hash}
	if sess.Family != "" {
		before, err := tx.ReplacedSessions(ctx, sess)
		if err != nil {
			return err
		}
		over = append(over, before...)
	}
	for _, hash := range over {
		if err := tx.EndSession(ctx, sess.Tenant, hash, now); err != nil {
			return err
		}
		if err := tx.AddJob(ctx, jobs.Job{Tenant: sess.Tenant, Queue: QueueEnded, Body: hash}, 0); err != nil {
			return err
		}
	}
	e := s.event(audit.LoggedOut, try{tenant: sess.Tenant, meta: m}, sess.PersonID, now)
	e.SessionID, e.Reason = sess.Hash, reason
	if reason == endedElsewhere {
		e.Outcome = audit.SeriousFailure
		if err := s.noteSignIn(ctx, tx, sess.Tenant, sess.PersonID, reason, now); err != nil {
			return err
		}
	}
	return tx.AppendAudit(ctx, e)
}

// Sessions gives the live sessions of a person, the newest first. Errors:
// errs.Unavailable.
func (s *Service) Sessions(ctx context.Context, tenant, personID string) ([]Session, error) {
	return s.d.Store.SessionsOfPerson(ctx, tenant, personID, s.now())
}

// Devices gives the devices on which the person finished a log-in. Errors:
// errs.Unavailable.
func (s *Service) Devices(ctx context.Context, tenant, personID string) ([]Device, error) {
	return s.d.Store.DevicesOfPerson(ctx, tenant, personID)
}

// EndSession ends a live session of the person of another one and forgets its
// device, which has to prove itself anew. Errors: errs.NotFound with code
// session-not-found for one that is not theirs or is over; errs.Unavailable.
func (s *Service) EndSession(ctx context.Context, mine Session, hash string, m Meta) error {
	ended, err := s.endWhere(ctx, mine, m, func(v Session) bool { return v.Hash == hash })
	if err == nil && ended == 0 {
		err = errs.New(errs.NotFound, "session-not-found", "There is no such session.")
	}
	return err
}

// EndOthers ends all live sessions of the person but this one, forgets their
// devices, and gives their number. Errors: errs.Unavailable.
func (s *Service) EndOthers(ctx context.Context, mine Session, m Meta) (int, error) {
	return s.endWhere(ctx, mine, m, func(v Session) bool { return v.Hash != mine.Hash })
}

func (s *Service) endWhere(ctx context.Context, mine Session, m Meta, which func(Session) bool) (ended int, err error) {
	now := s.now()
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		ended, err = s.endThose(ctx, tx, mine, endedByOwner, m, now, which)
		return err
	})
	return ended, err
}

// endThose ends those of the live sessions of a person, inside a transaction, and
// forgets their devices; mine is the session that asks for it.
func (s *Service) endThose(ctx context.Context, tx Tx, mine Session, reason string, m Meta, now time.Time, which func(Session) bool) (int, error) {
	live, err := tx.SessionsOfPerson(ctx, mine.Tenant, mine.PersonID, now)
	if err != nil {
		return 0, err
	}
	ended := 0
	for _, v := range live {
		if !which(v) {
			continue
		}
		ended++
		if err := s.endOne(ctx, tx, v, reason, m, now); err != nil {
			return 0, err
		}
		if v.Device == "" || v.Device == mine.Device {
			continue
		}
		if err := tx.DropDevice(ctx, v.Tenant, v.PersonID, v.Device); err != nil {
			return 0, err
		}
	}
	return ended, nil
}
