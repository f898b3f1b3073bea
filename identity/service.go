package identity

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
)

// The methods that a session's AMR names (RFC 8176 §2).
const (
	methodPassword = "pwd"
	methodOTP      = "otp"
)

// tooManyTries is the cause code and the recorded reason of throttling.
const tooManyTries = "too-many-tries"

// maxUsername bounds what is looked up; longer names belong to nobody.
const maxUsername = 256

// Passwords hashes and verifies passwords; identity/factor/password is one.
type Passwords interface {
	// Hash gives the stored form. Errors: errs.Invalid for an unfit
	// password, errs.Unavailable.
	Hash(ctx context.Context, password string) ([]byte, error)
	// Verify reports whether the password is right. With an empty hash it
	// does the same work and answers false. Errors: errs.Internal,
	// errs.Unavailable.
	Verify(ctx context.Context, hash []byte, password string) (bool, error)
}

// Codes checks time-based codes; identity/factor/totp is one.
type Codes interface {
	// Check reports whether the code is right at now and its time step.
	// Errors: errs.Internal for an unreadable secret.
	Check(secret []byte, code string, now time.Time) (step int64, ok bool, err error)
}

// Deps is what the Service works with. All fields are required but Policy,
// whose zero value means DefaultPolicy.
type Deps struct {
	// Tx runs the use-cases that change something.
	Tx txn.Runner[Tx]
	// Store answers reads outside a transaction.
	Store     Store
	Passwords Passwords
	Codes     Codes
	Clock     clock.Clock
	IDs       ids.Source
	Hasher    ids.Hasher
	Policy    Policy
}

// Service holds the use-cases of accounts and sessions. It is safe for
// concurrent use.
type Service struct {
	d Deps
}

// New makes a Service.
func New(d Deps) *Service {
	if d.Policy.Sessions == nil {
		d.Policy = DefaultPolicy()
	}
	return &Service{d: d}
}

// Meta is what is known about the request behind a use-case.
type Meta struct {
	// Address is the client's IP address behind trusted proxies.
	Address string
	// RequestID joins the events of one request (AR-02).
	RequestID string
	// Language is a BCP 47 tag for a new session.
	Language string
	// Previous is the session secret the browser sent along; that session
	// ends when a new log-in begins (SE-13).
	Previous string
}

// SignInResult is a log-in that got one step further.
type SignInResult struct {
	// Secret is the new cookie value; the one before is dead.
	Secret  string
	Session Session
	Person  Person
	// NeedsSecondFactor is true while Session may only be handed to
	// SecondFactor.
	NeedsSecondFactor bool
}

// SignIn checks a username and a password. Unknown and disabled accounts and
// wrong passwords answer alike and cost the same work. Errors:
// errs.Unauthenticated with code sign-in-failed; errs.RateLimited with code
// too-many-tries (see RetryAfter); errs.Unavailable.
func (s *Service) SignIn(ctx context.Context, tenant, username, password string, m Meta) (SignInResult, error) {
	now := s.now()
	try := s.passwordTry(tenant, username, m)
	busy, err := s.exhausted(ctx, s.d.Store, try, now)
	if err != nil {
		return SignInResult{}, err
	}
	found := candidate{reason: tooManyTries}
	if !busy {
		if found, err = s.verify(ctx, tenant, username, password); err != nil {
			return SignInResult{}, err
		}
	}
	secret := s.d.Hasher.Secret(s.d.IDs)
	var out outcome
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		var err error
		out, err = s.signIn(ctx, tx, try, found, secret, now)
		return err
	})
	if err != nil {
		return SignInResult{}, err
	}
	return out.result, out.refusal
}

// outcome is what a transaction ends with: a refusal is committed too,
// because its counters and its event must stay.
type outcome struct {
	result  SignInResult
	refusal error
}

// candidate is what the check outside the transaction found.
type candidate struct {
	person Person
	// reason is why the log-in fails, empty when the password is right.
	reason string
	// enrolled is true when the account has a second factor.
	enrolled bool
}

func (s *Service) verify(ctx context.Context, tenant, username, password string) (candidate, error) {
	if len(username) > maxUsername {
		username = ""
	}
	var c candidate
	p, err := s.d.Store.PersonByUsername(ctx, tenant, FoldUsername(username))
	if err != nil && !errs.Is(err, errs.NotFound) {
		return c, err
	}
	known := err == nil
	// The factors of nobody are asked for too: the same round trips for
	// everybody.
	factors, err := s.d.Store.Factors(ctx, tenant, p.ID)
	if err != nil {
		return c, err
	}
	var hash []byte
	for _, f := range factors {
		if f.Kind == FactorPassword && known {
			hash = f.Secret
		}
		c.enrolled = c.enrolled || f.Kind == FactorTOTP
	}
	right, err := s.d.Passwords.Verify(ctx, hash, password)
	if err != nil {
		return c, err
	}
	c.person = p
	switch {
	case !known:
		c.reason = "account-unknown"
	case !right:
		c.reason = "password-wrong"
	case p.Disabled:
		c.reason = "account-disabled"
	}
	return c, nil
}

func (s *Service) signIn(ctx context.Context, tx Tx, try try, c candidate, secret string, now time.Time) (outcome, error) {
	// Counted again inside the transaction: of many guesses sent at once no
	// more get through than of guesses sent one by one.
	busy, err := s.exhausted(ctx, tx, try, now)
	if err == nil && !busy && c.reason != tooManyTries {
		busy, err = s.admit(ctx, tx, try, c.reason == "", now)
	}
	if err != nil {
		return outcome{}, err
	}
	e := s.event(audit.LoginFailed, try, c.person.ID, now)
	switch {
	case busy || c.reason == tooManyTries:
		e.Outcome, e.Reason = audit.SeriousFailure, tooManyTries
		return outcome{refusal: s.tooMany(try)}, tx.AppendAudit(ctx, e)
	case c.reason != "":
		e.Outcome, e.Reason = audit.MinorFailure, c.reason
		if c.person.ID == "" {
			e.Detail = map[string]string{"username_hash": try.account}
		}
		return outcome{refusal: signInFailed()}, tx.AppendAudit(ctx, e)
	}
	if err := s.forget(ctx, tx, try); err != nil {
		return outcome{}, err
	}
	if try.meta.Previous != "" {
		if err := tx.EndSession(ctx, try.tenant, s.hash(try.meta.Previous), now); err != nil {
			return outcome{}, err
		}
	}
	r := SignInResult{Secret: secret, Person: c.person}
	r.NeedsSecondFactor = c.enrolled || c.person.Role.NeedsSecondFactor()
	r.Session = s.newSession(c.person, secret, r.NeedsSecondFactor, try.meta.Language, now)
	if err := tx.CreateSession(ctx, r.Session); err != nil {
		return outcome{}, err
	}
	e = s.event(audit.LoginSucceeded, try, c.person.ID, now)
	e.SessionID, e.Detail = r.Session.Hash, map[string]string{"amr": methodPassword}
	if r.NeedsSecondFactor {
		e.Reason = "second-factor-needed"
	}
	return outcome{result: r}, tx.AppendAudit(ctx, e)
}

func (s *Service) newSession(p Person, secret string, unfinished bool, language string, now time.Time) Session {
	l := s.d.Policy.lifetimes(p.Role)
	if language == "" {
		language = p.Language
	}
	n := Session{
		Tenant: p.Tenant, Hash: s.hash(secret), PersonID: p.ID, AuthTime: now, Language: language,
		Created: now, LastSeen: now, Ends: now.Add(l.Absolute), IdleEnds: now.Add(l.Idle),
		AMR: []string{methodPassword},
	}
	if unfinished {
		n.AMR, n.IdleEnds = nil, now.Add(s.d.Policy.Unfinished)
	}
	return n
}

// signInFailed is the one answer to every failed password.
func signInFailed() error {
	return errs.New(errs.Unauthenticated, "sign-in-failed", "The username or the password is not right.")
}

func (s *Service) event(kind audit.Kind, try try, personID string, now time.Time) audit.Event {
	return audit.Event{
		Tenant: try.tenant, Time: now, Kind: kind, Action: "E", Outcome: audit.Success,
		PersonID: personID, Network: try.meta.Address, RequestID: try.meta.RequestID,
	}
}

// now gives the time at the precision of the store.
func (s *Service) now() time.Time { return s.d.Clock.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) hash(secret string) string { return s.d.Hasher.Hash("session", secret) }

// methods adds to the methods used, each named once.
func methods(used []string, more ...string) []string {
	out := slices.Clone(used)
	for _, m := range more {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}
