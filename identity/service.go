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

// The cause codes and recorded reasons of tries that are not looked at.
const (
	tooManyTries    = "too-many-tries"
	signInStopped   = "sign-in-stopped"
	challengeNeeded = "challenge-needed"
)

// maxUsername bounds what is looked up; longer names belong to nobody.
const maxUsername = 256

// Passwords hashes and verifies passwords; identity/factor/password is one.
type Passwords interface {
	// Hash gives the stored form. Errors: errs.Invalid for an unfit
	// password, errs.Unavailable.
	Hash(ctx context.Context, password string) ([]byte, error)
	// Verify reports whether the password is right. With an empty hash it
	// does the same work and answers false. Where many wait, those on a
	// known device come first. Errors: errs.Internal, errs.Unavailable.
	Verify(ctx context.Context, hash []byte, password string, known bool) (bool, error)
	// Stale reports whether a stored form is of another system or of another cost;
	// Rehash gives the form of now of a password that was right. Errors:
	// errs.Unavailable.
	Stale(hash []byte) bool
	Rehash(ctx context.Context, password string) ([]byte, error)
}

// Codes checks time-based codes; identity/factor/totp is one.
type Codes interface {
	// NewSecret gives a fresh shared secret, URI the address by which an
	// authenticator app takes it for an account.
	NewSecret(src ids.Source) string
	URI(account, secret string) string
	// QR gives that address as a picture (PNG). Errors: errs.Internal.
	QR(uri string) ([]byte, error)
	// Check reports whether the code is right at now and its time step.
	// Errors: errs.Internal for an unreadable secret.
	Check(secret []byte, code string, now time.Time) (step int64, ok bool, err error)
}

// Deps is what the Service works with. All fields are required but Passkeys,
// Seen, Assess, Helpers, Directory and Shared, and Policy, whose zero value means DefaultPolicy.
type Deps struct {
	// Tx runs the use-cases that change something.
	Tx txn.Runner[Tx]
	// Store answers reads outside a transaction.
	Store Ports
	// Seen answers Glimpse; nil reads the store for it.
	Seen      Seen
	Passwords Passwords
	Codes     Codes
	// Passkeys is nil where browsers offer none.
	Passkeys Passkeys
	Clock    clock.Clock
	IDs      ids.Source
	Hasher   ids.Hasher
	Policy   Policy
	// Places gives the place of a network (AddressPrefix), nil where none is known;
	// Leaked reports whether a password is known from breaches, nil where nobody can
	// tell.
	Places func(network string) (Place, bool)
	Leaked func(password string) (bool, error)
	// Directory gives the directory that keeps passwords of staff of a tenant, nil where
	// there is none; nil means none anywhere.
	Directory func(tenant string) Directory
	// Assess judges finished log-ins (identity/risk); nil allows all.
	Assess func(RiskSignals) Assessment
	// Helpers gives the accounts of those who help, or were asked to help, with the
	// record of a person; nil means nobody.
	Helpers func(ctx context.Context, p Person) ([]string, error)
	// Shared reports whether somebody who helps with the record of a person is known to
	// use an e-mail address; nil means nobody.
	Shared func(ctx context.Context, p Person, address string) (bool, error)
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
	// Challenge and Work answer an earlier challenge; Trapped says that the form has
	// what only a program fills in, which makes work due.
	Challenge, Work string
	Trapped         bool
	// Previous is the session secret the browser sent along; that session
	// ends when a new log-in begins (SE-13).
	Previous string
	// Browser is the secret that the browser keeps beside its session cookie; the
	// session is bound to it.
	Browser string
	// Device is the secret by which a device is known again, "" for none.
	Device string
	// Agent is what the browser calls itself (AgentOf).
	Agent string
	// Shared says that other people use the device.
	Shared bool
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
	// Device is the secret by which this device will be known again; "" when the
	// log-in is unfinished, the device shared, or known.
	Device string
}

// SignIn checks a username and a password. Unknown and disabled accounts and
// wrong passwords answer alike and cost the same work. Errors:
// errs.Unauthenticated with code sign-in-failed; errs.RateLimited with code
// too-many-tries (see RetryAfter); errs.Unavailable, with code directory-unreachable
// for every name while a directory cannot be asked, unless a password of here is
// right.
func (s *Service) SignIn(ctx context.Context, tenant, username, password string, m Meta) (SignInResult, error) {
	now := s.now()
	found, err := s.find(ctx, tenant, username, m)
	if err != nil {
		return SignInResult{}, err
	}
	try := s.passwordTry(tenant, username, found.onKnown, m)
	try.person, try.travels = found.person.ID, found.person.Travels
	found.refusal, err = s.refused(ctx, s.d.Store, try, now)
	if err == nil && found.refusal == nil {
		err = s.verify(ctx, &found, password)
		try.leaked = found.leaked
	}
	if err == nil && found.reason == directoryUnreachable {
		found.refusal, err = s.refused(ctx, s.d.Store, try.outage(), now)
	}
	if err != nil {
		return SignInResult{}, err
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
	tenant   string
	// leaked says that thieves know the password.
	leaked bool
	// stored is the factor of the password, renewed its new form where the stored one
	// is stale.
	stored  Factor
	renewed []byte
	// kept is the mark of an account whose password a directory keeps, entry what the
	// directory calls it, outage why the directory could not be asked.
	kept   Factor
	entry  string
	outage error
	// onKnown says that the device is one on which the person finished a log-in.
	onKnown bool
	// refusal is why the password was not looked at.
	refusal error
}

// find looks for the account, and whether it knows the device. For nobody it asks
// as often.
func (s *Service) find(ctx context.Context, tenant, username string, m Meta) (candidate, error) {
	if len(username) > maxUsername {
		username = ""
	}
	p, err := s.d.Store.PersonByUsername(ctx, tenant, FoldUsername(username))
	if err != nil && !errs.Is(err, errs.NotFound) {
		return candidate{}, err
	}
	c := candidate{person: p, tenant: tenant}
	c.onKnown, err = s.knows(ctx, s.d.Store, tenant, p.ID, m)
	return c, err
}

func (s *Service) verify(ctx context.Context, c *candidate, password string) error {
	p, known := c.person, c.person.ID != ""
	// The factors of nobody are asked for too: the same round trips for
	// everybody.
	factors, err := s.d.Store.Factors(ctx, c.tenant, p.ID)
	if err != nil {
		return err
	}
	for _, f := range factors {
		switch {
		case f.Kind == FactorPassword && known:
			c.stored = f
		case f.Kind == FactorDirectory && known:
			c.kept = f
		}
		c.enrolled = c.enrolled || f.Kind.Second()
	}
	if c.kept.ID != "" {
		c.stored = Factor{}
	}
	// The same work for everybody, whoever keeps the password.
	right, err := s.d.Passwords.Verify(ctx, c.stored.Secret, password, c.onKnown)
	if err == nil && right && s.d.Passwords.Stale(c.stored.Secret) {
		c.renewed, err = s.d.Passwords.Rehash(ctx, password)
	}
	if err != nil {
		return err
	}
	switch {
	case !known:
		c.reason = "account-unknown"
	case !right:
		c.reason = "password-wrong"
	case p.Disabled:
		c.reason = "account-disabled"
	case c.stored.Locked != "":
		c.reason = "password-reset"
	case s.d.Leaked != nil:
		c.leaked, err = s.d.Leaked(password)
	}
	if err != nil {
		return err
	}
	return s.askDirectory(ctx, c, password)
}

func (s *Service) signIn(ctx context.Context, tx Tx, try try, c candidate, secret string, now time.Time) (outcome, error) {
	// Counted again inside the transaction: of many guesses sent at once no
	// more get through than of guesses sent one by one.
	if c.refusal == nil {
		var err error
		if c.refusal, err = s.counted(ctx, tx, c.counts(try), c.reason == "", now); err != nil {
			return outcome{}, err
		}
	}
	e := s.event(audit.LoginFailed, try, c.person.ID, now)
	switch {
	case c.refusal != nil:
		e.Outcome, e.Reason = audit.SeriousFailure, errs.As(c.refusal).Code
		return outcome{refusal: c.refusal}, tx.AppendAudit(ctx, e)
	case c.reason != "":
		e.Outcome, e.Reason = audit.MinorFailure, c.reason
		if c.person.ID == "" {
			e.Detail = map[string]string{"username_hash": try.account}
		}
		return outcome{refusal: c.failed()}, tx.AppendAudit(ctx, e)
	}
	var err error
	if try.failures, err = tx.Failures(ctx, try.tenant, try.strangers, now, s.d.Policy.PerAccount.Window); err != nil {
		return outcome{}, err
	}
	if err := s.forget(ctx, tx, try); err != nil {
		return outcome{}, err
	}
	if err := s.renew(ctx, tx, c); err != nil {
		return outcome{}, err
	}
	if err := s.keepEntry(ctx, tx, c); err != nil {
		return outcome{}, err
	}
	r := SignInResult{Secret: secret, Person: c.person}
	r.NeedsSecondFactor = c.enrolled || c.person.Role.NeedsSecondFactor()
	r.Session = s.newSession(c.person, secret, r.NeedsSecondFactor, try.meta, now)
	var a Assessment
	if r.Device, a, err = s.know(ctx, tx, &r.Session, try, now); err != nil {
		return outcome{}, err
	}
	if refusal := a.refusal(); refusal != nil {
		return s.unusual(ctx, tx, e, a, refusal)
	}
	if try.meta.Previous != "" {
		if err := tx.EndSession(ctx, try.tenant, s.hash(try.meta.Previous), now); err != nil {
			return outcome{}, err
		}
	}
	if err := tx.CreateSession(ctx, r.Session); err != nil {
		return outcome{}, err
	}
	e = s.event(audit.LoginSucceeded, try, c.person.ID, now)
	e.SessionID, e.Detail = r.Session.Hash, a.detail(map[string]string{"amr": methodPassword})
	if r.NeedsSecondFactor {
		e.Reason = "second-factor-needed"
	}
	return outcome{result: r}, tx.AppendAudit(ctx, e)
}

func (s *Service) newSession(p Person, secret string, unfinished bool, m Meta, now time.Time) Session {
	language := m.Language
	if language == "" {
		language = p.Language
	}
	n := Session{
		Tenant: p.Tenant, Hash: s.hash(secret), PersonID: p.ID, AuthTime: now, Language: language,
		Created: now, LastSeen: now, AMR: []string{methodPassword},
		Browser: s.browser(m.Browser), Shared: m.Shared, Agent: m.Agent, Network: AddressPrefix(m.Address),
	}
	l := s.d.Policy.lifetimes(p.Role, n)
	n.Ends, n.IdleEnds = now.Add(l.Absolute), now.Add(l.Idle)
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
