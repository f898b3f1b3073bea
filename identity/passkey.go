package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// The methods of passkeys (RFC 8176 §2): the key of a passkey that its provider
// copies is known to lie in software; of one that stays on its device the possession
// is proven, which is what AAL3 rests on. Every one counts as two factors, because the
// authenticator verified the person.
const (
	methodPossession = "pop"
	methodSoftware   = "swk"
	methodTwoFactors = "mfa"
)

// reasonCloned is why a passkey is locked whose counter went back.
const reasonCloned = "passkey-cloned"

// Passkey is what is kept of a passkey or security key.
type Passkey struct {
	ID        []byte `json:"id"`
	PublicKey []byte `json:"public_key"`
	// Handle is what the authenticator calls its owner: random, the same for all
	// keys of an account.
	Handle []byte `json:"handle"`
	// AAGUID is the model that the authenticator says it is; Attestation is the
	// format in which its maker vouched for that, "none" when nobody did.
	AAGUID      []byte `json:"aaguid,omitempty"`
	Attestation string `json:"attestation,omitempty"`
	// Vouched says that a maker that this server trusts vouched for the model when the
	// key was made.
	Vouched bool `json:"vouched,omitempty"`
	// Synced says that the key may leave its device (backup eligible).
	Synced     bool     `json:"synced,omitempty"`
	Transports []string `json:"transports,omitempty"`
	// Counter and BackedUp are those of the enrolment.
	Counter  int64 `json:"-"`
	BackedUp bool  `json:"-"`
}

// PasskeyOwner is for whom a passkey is made.
type PasskeyOwner struct {
	Handle []byte
	// Name is how the authenticator's list of keys calls the account.
	Name string
	// Keys are those that the account has; an authenticator makes no second one.
	Keys []Passkey
	// Attest asks the maker of the authenticator to vouch for its model. Browsers tell
	// people of it, so nobody is asked without need.
	Attest bool
}

// Passkeys makes the options that authenticators are given and verifies their
// answers; identity/factor/passkey is one.
type Passkeys interface {
	// Request gives the options of a log-in, with keys only for these.
	Request(challenge string, keys []Passkey) ([]byte, error)
	// Creation gives the options of an enrolment.
	Creation(challenge string, who PasskeyOwner) ([]byte, error)
	// Claimed reads challenge and key of an answer, unverified. Errors:
	// errs.Invalid.
	Claimed(answer []byte) (challenge string, id []byte, err error)
	// Register verifies the answer to Creation. Errors: errs.Invalid,
	// errs.Unauthenticated.
	Register(challenge string, handle, answer []byte) (Passkey, error)
	// Verify verifies the answer to Request. Errors: errs.Invalid,
	// errs.Unauthenticated.
	Verify(challenge string, key Passkey, answer []byte) (counter int64, backedUp bool, err error)
}

// passkeyID is the id of the factor of a key: the same key cannot be enrolled
// twice.
func passkeyID(key []byte) string {
	sum := sha256.Sum256(key)
	return "pk-" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Passkey reads what is kept of a passkey; ok is false for another factor.
func (f Factor) Passkey() (k Passkey, ok bool) {
	return k, f.Kind == FactorPasskey && json.Unmarshal(f.Secret, &k) == nil
}

// passkeysOf gives the passkeys among factors, and the ids of those that may be
// used.
func passkeysOf(factors []Factor) (keys, usable []Passkey) {
	for _, f := range factors {
		if k, ok := f.Passkey(); ok {
			keys = append(keys, k)
			if f.Locked == "" {
				usable = append(usable, k)
			}
		}
	}
	return keys, usable
}

// PasskeyRequest gives the options with which a log-in page asks for any passkey,
// nil where there are none. binding names the browser and its session; an answer
// counts only with the same. Errors: errs.Internal.
func (s *Service) PasskeyRequest(binding string) ([]byte, error) {
	if s.d.Passkeys == nil || binding == "" {
		return nil, nil
	}
	return s.d.Passkeys.Request(s.newChallenge(purposeSignIn, binding, s.now()), nil)
}

// answered is the answer of a passkey, verified but not yet counted.
type answered struct {
	challenge string
	end       time.Time
	factor    Factor
	key       Passkey
	counter   int64
	backedUp  bool
	// reason is why it is refused, empty for a good one.
	reason string
}

// verifyPasskey verifies an answer outside of a transaction. Errors:
// errs.Invalid with code passkey-answer; errs.Unavailable. Everything else that is
// wrong is the reason.
func (s *Service) verifyPasskey(ctx context.Context, tenant, purpose, binding string, answer []byte, now time.Time) (answered, error) {
	var a answered
	if s.d.Passkeys == nil {
		return a, errs.New(errs.Invalid, "passkey-answer", "This server has no passkeys.")
	}
	challenge, id, err := s.d.Passkeys.Claimed(answer)
	if err != nil {
		return a, err
	}
	a.challenge = challenge
	if a.end, err = s.challengeEnd(purpose, binding, challenge, now); err != nil {
		a.reason = errs.As(err).Code
		return a, nil
	}
	a.factor, err = s.d.Store.FactorByID(ctx, tenant, passkeyID(id))
	if errs.Is(err, errs.NotFound) {
		a.reason = "passkey-unknown"
		return a, nil
	}
	if err != nil {
		return a, err
	}
	a.key, _ = a.factor.Passkey()
	a.counter, a.backedUp, err = s.d.Passkeys.Verify(challenge, a.key, answer)
	switch {
	case errs.Is(err, errs.Invalid):
		return a, err
	case err != nil:
		a.reason = errs.As(err).Code
	case a.factor.Locked != "":
		a.reason = "passkey-locked"
	}
	return a, nil
}

// methods gives what the use of the passkey proves.
func (a answered) methods() []string {
	if a.key.Synced {
		return []string{methodSoftware, methodTwoFactors}
	}
	return []string{methodPossession, methodTwoFactors}
}

// accept makes the answer count, and gives the reason why it does not: it was
// given before, or the counter says that the key was copied, which locks it.
func (s *Service) accept(ctx context.Context, tx Tx, a answered, now time.Time) (reason string, err error) {
	if err := s.spend(ctx, tx, a.factor.Tenant, a.challenge, a.end); err != nil {
		if errs.Is(err, errs.Unauthenticated) {
			return errs.As(err).Code, nil
		}
		return "", err
	}
	// Of two requests with one key the later must see what the earlier did.
	fresh, err := tx.FactorByID(ctx, a.factor.Tenant, a.factor.ID)
	if errs.Is(err, errs.NotFound) {
		return "passkey-unknown", nil
	}
	if err != nil {
		return "", err
	}
	if fresh.Locked != "" {
		return "passkey-locked", nil
	}
	if a.counter != 0 || fresh.Counter != 0 {
		forward, err := tx.AdvanceFactor(ctx, fresh.Tenant, fresh.ID, a.counter)
		if err != nil {
			return "", err
		}
		if !forward {
			fresh.Locked = reasonCloned
			return reasonCloned, s.noteCloned(ctx, tx, fresh, now)
		}
	}
	fresh.Used, fresh.BackedUp = now, a.backedUp
	return "", tx.NoteFactor(ctx, fresh)
}

// noteCloned locks a passkey and tells its owner.
func (s *Service) noteCloned(ctx context.Context, tx Tx, f Factor, now time.Time) error {
	if err := tx.NoteFactor(ctx, f); err != nil {
		return err
	}
	return s.factorChanged(ctx, tx, change{kind: audit.FactorChanged, factor: f, outcome: audit.SeriousFailure, reason: reasonCloned}, now)
}

// SignInWithPasskey logs in whoever an authenticator proves. Unknown, foreign,
// late, repeated and copied answers are refused alike. Errors: errs.Invalid with
// code passkey-answer; errs.Unauthenticated with code sign-in-failed;
// errs.Forbidden as KeyRules.Judge; errs.RateLimited with code too-many-tries; errs.Unavailable.
func (s *Service) SignInWithPasskey(ctx context.Context, tenant, binding string, answer []byte, m Meta) (SignInResult, error) {
	now := s.now()
	a, err := s.verifyPasskey(ctx, tenant, purposeSignIn, binding, answer, now)
	if err != nil {
		return SignInResult{}, err
	}
	secret := s.d.Hasher.Secret(s.d.IDs)
	var out outcome
	err = s.d.Tx.InTx(ctx, func(tx Tx) (err error) {
		t := s.passkeyTry(tenant, a.factor.ID, m)
		if t.onKnown, err = s.knows(ctx, tx, tenant, a.factor.PersonID, m); err != nil {
			return err
		}
		out, err = s.passkeySignIn(ctx, tx, a, t, secret, now)
		return err
	})
	if err != nil {
		return SignInResult{}, err
	}
	return out.result, out.refusal
}

func (s *Service) passkeySignIn(ctx context.Context, tx Tx, a answered, t try, secret string, now time.Time) (outcome, error) {
	var p Person
	reason, err := s.admitted(ctx, tx, a, t, now)
	if err == nil && a.factor.PersonID != "" {
		if p, err = tx.PersonByID(ctx, t.tenant, a.factor.PersonID); errs.Is(err, errs.NotFound) {
			reason, err = "account-unknown", nil
		}
	}
	if err != nil {
		return outcome{}, err
	}
	if reason == "" && p.Disabled {
		reason = "account-disabled"
	}
	unfit := s.d.Policy.Keys.Judge(p, a.key)
	if reason == "" && unfit != nil {
		reason = errs.As(unfit).Code
	}
	e := s.event(audit.LoginFailed, t, p.ID, now)
	if reason != "" {
		e.Outcome, e.Reason = failure(reason), reason
		return outcome{refusal: s.passkeyRefusal(reason, unfit, t)}, tx.AppendAudit(ctx, e)
	}
	if t.meta.Previous != "" {
		if err := tx.EndSession(ctx, t.tenant, s.hash(t.meta.Previous), now); err != nil {
			return outcome{}, err
		}
	}
	r := SignInResult{Secret: secret, Person: p, Session: s.newSession(p, secret, false, t.meta, now)}
	r.Session.AMR = a.methods()
	var found Assessment
	t.travels = p.Travels
	if r.Device, found, err = s.know(ctx, tx, &r.Session, t, now); err != nil {
		return outcome{}, err
	}
	if err := tx.CreateSession(ctx, r.Session); err != nil {
		return outcome{}, err
	}
	e = s.event(audit.LoginSucceeded, t, p.ID, now)
	e.SessionID, e.Detail = r.Session.Hash, found.detail(map[string]string{"amr": strings.Join(r.Session.AMR, " "), "factor": a.factor.ID})
	return outcome{result: r}, tx.AppendAudit(ctx, e)
}

// admitted counts the answer as a try and accepts a good one; reason is why it is
// refused.
func (s *Service) admitted(ctx context.Context, tx Tx, a answered, t try, now time.Time) (reason string, err error) {
	busy, err := s.exhausted(ctx, tx, t, now)
	if err == nil && !busy {
		busy, err = s.admit(ctx, tx, t, a.reason == "", now)
	}
	switch {
	case err != nil:
		return "", err
	case busy:
		return tooManyTries, nil
	case a.reason != "":
		return a.reason, nil
	}
	if reason, err = s.accept(ctx, tx, a, now); err == nil && reason == "" {
		err = s.forget(ctx, tx, t)
	}
	if err == nil && reason == "" {
		// Who signs in by what cannot be passed on may be asked again (SM-15).
		err = tx.ClearConsecutive(ctx, t.tenant, deniedKey(a.factor.PersonID))
	}
	return reason, err
}

// failure tells how serious a refusal is.
func failure(reason string) audit.Outcome {
	if reason == tooManyTries || reason == reasonCloned {
		return audit.SeriousFailure
	}
	return audit.MinorFailure
}

// passkeyRefusal is what is told: never which part was wrong, unless all was right
// and the key is unfit.
func (s *Service) passkeyRefusal(reason string, unfit error, t try) error {
	switch {
	case reason == tooManyTries:
		return s.tooMany(t.limits[0].Window)
	case unfit != nil && reason == errs.As(unfit).Code:
		return unfit
	}
	return signInFailed()
}

// StepUpChoices is how a log-in may be finished or strengthened.
type StepUpChoices struct {
	// Code: by the code of an authenticator app; Recovery: by a recovery code.
	Code, Recovery bool
	// Approve: by a number on another device that is signed in.
	Approve bool
	// Email and SMS: by a code that is sent, which finishes a log-in at AAL1.
	Email, SMS bool
	// Passkey holds the options for the browser, nil when there is none.
	Passkey []byte
}

// StepUp says how the log-in of a session may be finished or strengthened to a level:
// for AAL3 only by passkeys that stay on their device. Errors: errs.Unauthenticated
// with code session-ended; errs.Unavailable.
func (s *Service) StepUp(ctx context.Context, tenant, secret, binding string, to Level) (StepUpChoices, error) {
	now := s.now()
	sess, p, err := s.load(ctx, s.d.Store, tenant, secret, now)
	if err != nil {
		return StepUpChoices{}, err
	}
	factors, err := s.d.Store.Factors(ctx, tenant, p.ID)
	if err != nil {
		return StepUpChoices{}, err
	}
	var out StepUpChoices
	_, usable := passkeysOf(factors)
	if to == AAL3 {
		usable = slices.DeleteFunc(usable, func(k Passkey) bool { return k.Synced })
	} else {
		if out.Approve, err = s.approvable(ctx, s.d.Store, sess, p, sess.Device, now); err != nil {
			return out, err
		}
		if out.Email, out.SMS, err = s.sentWays(ctx, sess, p, factors, now); err != nil {
			return out, err
		}
		out.Code = slices.ContainsFunc(factors, func(f Factor) bool { return f.Kind == FactorTOTP })
		out.Recovery = slices.ContainsFunc(factors, func(f Factor) bool { return f.RecoveryLeft() > 0 })
	}
	if len(usable) > 0 && s.d.Passkeys != nil && binding != "" {
		out.Passkey, err = s.d.Passkeys.Request(s.newChallenge(purposeStepUp, binding, now), usable)
	}
	return out, err
}

// StepUpWithPasskey is SecondFactor by a passkey of the same person. Errors:
// errs.Invalid with code passkey-answer; errs.Unauthenticated with code
// session-ended or passkey-refused; errs.Forbidden as KeyRules.Judge;
// errs.RateLimited with code too-many-tries;
// errs.Unavailable.
func (s *Service) StepUpWithPasskey(ctx context.Context, tenant, secret, binding string, answer []byte, m Meta) (SignInResult, error) {
	now, fresh := s.now(), s.d.Hasher.Secret(s.d.IDs)
	a, err := s.verifyPasskey(ctx, tenant, purposeStepUp, binding, answer, now)
	if err != nil {
		return SignInResult{}, err
	}
	var out outcome
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
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
		a := a
		if a.reason == "" && a.factor.PersonID != p.ID {
			a.reason = "passkey-of-another"
		}
		out, err = s.passkeyStepUp(ctx, tx, a, stepUp{old: old, person: p, fresh: fresh, try: s.passkeyTry(tenant, a.factor.ID, m)}, now)
		return err
	})
	if err != nil {
		return SignInResult{}, err
	}
	return out.result, out.refusal
}

func (s *Service) passkeyStepUp(ctx context.Context, tx Tx, a answered, u stepUp, now time.Time) (outcome, error) {
	reason, err := s.admitted(ctx, tx, a, u.try, now)
	if err != nil {
		return outcome{}, err
	}
	unfit := s.d.Policy.Keys.Judge(u.person, a.key)
	if reason == "" && unfit != nil {
		reason = errs.As(unfit).Code
	}
	if reason == "" {
		return s.steppedUp(ctx, tx, u, now, a.methods()...)
	}
	e := s.event(audit.StepUpFailed, u.try, u.person.ID, now)
	e.SessionID, e.Outcome, e.Reason = u.old.Hash, failure(reason), reason
	refusal := s.passkeyRefusal(reason, unfit, u.try)
	if errs.Is(refusal, errs.Unauthenticated) {
		refusal = errs.New(errs.Unauthenticated, "passkey-refused", "The passkey was not accepted.")
	}
	return outcome{refusal: refusal}, tx.AppendAudit(ctx, e)
}

func (s *Service) passkeyTry(tenant, factorID string, m Meta) try {
	return s.newTry(tenant, "passkey", s.d.Hasher.Hash("factor", factorID), false, m)
}
