package identity

import (
	"context"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// Session gives the finished, live session of a cookie and its account, and
// notes the use at most once in Policy.TouchEvery. A session whose cookie comes
// from another browser than that of the log-in ends there and then (SE-16, SE-19).
// Errors:
// errs.Unauthenticated with code session-ended when there is none (any more),
// with code second-factor-needed when the log-in is unfinished;
// errs.Unavailable.
func (s *Service) Session(ctx context.Context, tenant, secret string, m Meta) (Session, Person, error) {
	now := s.now()
	sess, p, err := s.load(ctx, s.d.Store, tenant, secret, now)
	return s.used(ctx, sess, p, m, now, err)
}

// Glimpse is Session for a page on which nothing is decided: within the bound of
// D17 it may be told from memory, never past the session's end.
func (s *Service) Glimpse(ctx context.Context, tenant, secret string, m Meta) (Session, Person, error) {
	if s.d.Seen == nil {
		return s.Session(ctx, tenant, secret, m)
	}
	now := s.now()
	sess, p, err := s.load(ctx, glimpse{s, now}, tenant, secret, now)
	return s.used(ctx, sess, p, m, now, err)
}

// glimpse looks sessions up in memory. A session that is over may have been
// prolonged, and one whose use is to be noted again may have been noted by
// another node: both are read.
type glimpse struct {
	s   *Service
	now time.Time
}

func (g glimpse) SessionWithPerson(ctx context.Context, tenant, hash string) (Session, Person, error) {
	return g.s.d.Seen.SessionSeen(ctx, tenant, hash, func(v Session) bool {
		return v.Live(g.now) && g.now.Sub(v.LastSeen) < g.s.d.Policy.TouchEvery
	})
}

// used judges a session that was looked up, and notes its use.
func (s *Service) used(ctx context.Context, sess Session, p Person, m Meta, now time.Time, err error) (Session, Person, error) {
	if err == nil && !s.bound(sess, m) {
		err = s.elsewhere(ctx, sess, m, now)
	}
	if err != nil {
		return Session{}, Person{}, err
	}
	if sess.Level() == "" {
		return Session{}, Person{}, errs.New(errs.Unauthenticated, "second-factor-needed", "The log-in waits for its second factor.")
	}
	if now.Sub(sess.LastSeen) >= s.d.Policy.TouchEvery {
		if sess, err = s.touch(ctx, sess, p, now); err != nil {
			return Session{}, Person{}, err
		}
	}
	return sess, p, nil
}

// Pending gives an unfinished log-in, for the page that asks for the second
// factor. Errors: errs.Unauthenticated with code session-ended;
// errs.Unavailable.
func (s *Service) Pending(ctx context.Context, tenant, secret string) (Session, Person, error) {
	sess, p, err := s.load(ctx, s.d.Store, tenant, secret, s.now())
	if err == nil && sess.Level() != "" {
		err = sessionEnded()
	}
	if err != nil {
		return Session{}, Person{}, err
	}
	return sess, p, nil
}

func sessionEnded() error {
	return errs.New(errs.Unauthenticated, "session-ended", "There is no live session.")
}

// lookup is how load finds a session.
type lookup interface {
	SessionWithPerson(ctx context.Context, tenant, hash string) (Session, Person, error)
}

// load gives a live session and its enabled account.
func (s *Service) load(ctx context.Context, st lookup, tenant, secret string, now time.Time) (Session, Person, error) {
	if secret == "" {
		return Session{}, Person{}, sessionEnded()
	}
	sess, p, err := st.SessionWithPerson(ctx, tenant, s.hash(secret))
	if errs.Is(err, errs.NotFound) || err == nil && (!sess.Live(now) || p.Disabled) {
		return Session{}, Person{}, sessionEnded()
	}
	return sess, p, err
}

// touch reads the session again inside the transaction, so that a sign-out
// in between is not undone.
func (s *Service) touch(ctx context.Context, sess Session, p Person, now time.Time) (Session, error) {
	var ended error
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		ended = nil
		fresh, err := tx.SessionByHash(ctx, sess.Tenant, sess.Hash)
		if err != nil {
			return err
		}
		if !fresh.Live(now) {
			ended = sessionEnded()
			return nil
		}
		fresh.LastSeen, fresh.IdleEnds = now, s.idleEnd(fresh, p, now)
		sess = fresh
		return tx.UpdateSession(ctx, fresh)
	})
	if err == nil {
		err = ended
	}
	return sess, err
}

// idleEnd never lies behind the absolute end.
func (s *Service) idleEnd(sess Session, p Person, now time.Time) time.Time {
	end := now.Add(s.d.Policy.lifetimes(p.Role, sess).Idle)
	if end.After(sess.Ends) {
		return sess.Ends
	}
	return end
}

// SecondFactor checks a one-time code, for an unfinished log-in or to step a
// session up. The session gets a new secret and the old one dies (SE-14); its
// absolute end stays. A code works once. Errors: errs.Unauthenticated with
// code session-ended, code-refused, or second-factor-missing when the account
// has none; errs.RateLimited with code too-many-tries; errs.Unavailable.
func (s *Service) SecondFactor(ctx context.Context, tenant, secret, code string, m Meta) (SignInResult, error) {
	now, fresh := s.now(), s.d.Hasher.Secret(s.d.IDs)
	var out outcome
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		old, p, err := s.load(ctx, tx, tenant, secret, now)
		if errs.Is(err, errs.Unauthenticated) {
			out = outcome{refusal: err}
			return nil
		}
		if err != nil {
			return err
		}
		if !s.bound(old, m) {
			out = outcome{refusal: sessionEnded()}
			return s.endOne(ctx, tx, old, endedElsewhere, m, now)
		}
		known, err := s.knows(ctx, tx, tenant, p.ID, m)
		if err != nil {
			return err
		}
		out, err = s.secondFactor(ctx, tx, stepUp{old: old, person: p, code: code, fresh: fresh, try: s.codeTry(tenant, p.ID, known, m)}, now)
		return err
	})
	if err != nil {
		return SignInResult{}, err
	}
	return out.result, out.refusal
}

// stepUp is one try to prove a second factor.
type stepUp struct {
	old    Session
	person Person
	code   string
	fresh  string
	try    try
	// sent says that the code is one that was sent.
	sent bool
	// mailbox is where codes go by e-mail, "" for nowhere.
	mailbox string
}

func (s *Service) secondFactor(ctx context.Context, tx Tx, u stepUp, now time.Time) (outcome, error) {
	e := s.event(audit.StepUpFailed, u.try, u.person.ID, now)
	e.SessionID, e.Outcome = u.old.Hash, audit.MinorFailure
	refusal, err := s.refused(ctx, tx, u.try, now)
	if err != nil {
		return outcome{}, err
	}
	reason, busy := tooManyTries, refusal != nil
	proven := []string{methodOTP}
	if !busy {
		if u.sent {
			proven, reason, err = s.checkSent(ctx, tx, u, now)
		} else {
			reason, err = s.checkCode(ctx, tx, u, now)
		}
		if err != nil {
			return outcome{}, err
		}
		if busy, err = s.admit(ctx, tx, u.try, reason == "", now); err != nil {
			return outcome{}, err
		}
		refusal = s.tooMany(u.try.limits[0].Window)
	}
	if busy {
		e.Outcome, e.Reason = audit.SeriousFailure, errs.As(refusal).Code
		return outcome{refusal: refusal}, tx.AppendAudit(ctx, e)
	}
	if reason != "" {
		e.Reason = reason
		return outcome{refusal: codeRefused(reason)}, tx.AppendAudit(ctx, e)
	}
	if err := s.forget(ctx, tx, u.try); err != nil {
		return outcome{}, err
	}
	return s.steppedUp(ctx, tx, u, now, proven...)
}

// steppedUp gives the session that more was proven for a new secret; the old one
// dies.
func (s *Service) steppedUp(ctx context.Context, tx Tx, u stepUp, now time.Time, proven ...string) (outcome, error) {
	next := u.old
	next.Hash, next.AuthTime, next.LastSeen = s.hash(u.fresh), now, now
	var (
		device string
		found  Assessment
		from   UpstreamSession
		err    error
	)
	if len(next.AMR) == 0 {
		if next.AMR, from, err = s.begunWith(ctx, tx, u.old); err != nil {
			return outcome{}, err
		}
	}
	next.AMR = methods(stronger(next.AMR), proven...)
	if u.old.Level() == "" {
		u.try.travels = u.person.Travels
		device, found, err = s.know(ctx, tx, &next, u.try, now)
		if refusal := found.refusal(); refusal != nil && err == nil {
			e := s.event(audit.StepUpFailed, u.try, u.person.ID, now)
			e.SessionID = u.old.Hash
			return s.unusual(ctx, tx, e, found, refusal)
		}
	} else {
		device, err = s.keep(ctx, tx, &next, u.try.meta, now)
	}
	if err != nil {
		return outcome{}, err
	}
	next.IdleEnds = s.idleEnd(next, u.person, now)
	if err := s.replace(ctx, tx, u.old, &next, now); err != nil {
		return outcome{}, err
	}
	if err := tx.CreateSession(ctx, next); err != nil {
		return outcome{}, err
	}
	if from.Provider != "" {
		from.Hash = next.Hash
		if err := tx.NoteUpstream(ctx, from); err != nil {
			return outcome{}, err
		}
	}
	e := s.event(audit.StepUpSucceeded, u.try, u.person.ID, now)
	e.SessionID, e.Detail = next.Hash, found.detail(map[string]string{"amr": strings.Join(next.AMR, " "), "previous_session": u.old.Hash})
	return outcome{result: SignInResult{Secret: u.fresh, Session: next, Person: u.person, Device: device}}, tx.AppendAudit(ctx, e)
}

// checkCode gives the reason of a refusal, empty when the code is right and
// was not used before.
func (s *Service) checkCode(ctx context.Context, tx Tx, u stepUp, now time.Time) (string, error) {
	factors, err := tx.Factors(ctx, u.person.Tenant, u.person.ID)
	if err != nil {
		return "", err
	}
	reason := "second-factor-missing"
	for _, f := range factors {
		if used, err := s.useRecovery(ctx, tx, f, u.code, u.try.meta, now); used || err != nil {
			return "", err
		}
		if f.Kind == FactorRecovery && f.RecoveryLeft() > 0 {
			reason = "code-wrong"
		}
		if f.Kind != FactorTOTP {
			continue
		}
		step, ok, err := s.d.Codes.Check(f.Secret, u.code, now)
		if err != nil {
			return "", err
		}
		if !ok {
			reason = "code-wrong"
			continue
		}
		if ok, err = tx.AdvanceFactor(ctx, f.Tenant, f.ID, step); err != nil {
			return "", err
		}
		if ok {
			return "", nil
		}
		reason = "code-replayed"
	}
	return reason, nil
}

func codeRefused(reason string) error {
	if reason == "second-factor-missing" {
		return errs.New(errs.Unauthenticated, reason, "This account has no second factor yet.")
	}
	return errs.New(errs.Unauthenticated, "code-refused", "The code is not right or was used before.")
}

// SignOut ends the session of a cookie. It is no error when there is none.
// Errors: errs.Unavailable.
func (s *Service) SignOut(ctx context.Context, tenant, secret string, m Meta) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		sess, _, err := s.load(ctx, tx, tenant, secret, now)
		if errs.Is(err, errs.Unauthenticated) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.endOne(ctx, tx, sess, "", m, now)
	})
}

// SetLanguage notes the language chosen for a session; without a live session
// it does nothing. Errors: errs.Unavailable.
func (s *Service) SetLanguage(ctx context.Context, tenant, secret, language string) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		sess, _, err := s.load(ctx, tx, tenant, secret, now)
		if errs.Is(err, errs.Unauthenticated) {
			return nil
		}
		if err != nil {
			return err
		}
		sess.Language = language
		return tx.UpdateSession(ctx, sess)
	})
}
