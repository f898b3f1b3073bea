package identity

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// NoticeRecovery is the template of the message about a recovery to all contacts.
// Args: what (begun, waiting, stopped, refused, done), and stop, the token of the
// link that stops it.
const NoticeRecovery = "account-recovery"

// RecoveryTry is one proof that somebody offers to get back into an account.
type RecoveryTry struct {
	Username string
	// Secret is what the browser keeps of a recovery that it has begun, Binding names
	// the browser.
	Secret, Binding string
	Kind            ProofKind
	// Value is the password or the code; Ticket comes with a code that was sent.
	Value, Ticket string
	// Answer is that of a passkey.
	Answer []byte
}

// RegainPasskey gives the options with which a recovery page asks for any passkey,
// nil where there are none. Errors: errs.Internal.
func (s *Service) RegainPasskey(binding string) ([]byte, error) {
	if s.d.Passkeys == nil || binding == "" {
		return nil, nil
	}
	return s.d.Passkeys.Request(s.newChallenge(purposeRegain, binding, s.now()), nil)
}

// offered is a proof that was looked at outside of the transaction.
type offered struct {
	RecoveryTry
	candidate
	try    try
	proof  RecoveryProof
	key    answered
	ticket time.Time
	meta   Meta
	// guessable: a password or the code of an app may be tried.
	guessable bool
	// helped: the browser is known as that of somebody who helps.
	helped bool
}

// ProveRecovery takes a proof. The first good one begins a recovery and gives the
// secret of it, "" for a later one. Wrong proofs, unknown accounts and disabled ones
// answer alike. Errors: errs.Unauthenticated with code recovery-refused;
// errs.RateLimited with code too-many-tries; errs.Invalid with code passkey-answer;
// errs.Unavailable, with code directory-unreachable for a password that nobody could
// look at.
func (s *Service) ProveRecovery(ctx context.Context, tenant string, t RecoveryTry, m Meta) (Recovery, string, error) {
	now := s.now()
	o, err := s.offer(ctx, tenant, t, m, now)
	if err != nil {
		return Recovery{}, "", err
	}
	// Who helps is read by a way of its own, so before the transaction: a request never
	// holds two connections. Nobody is looked up, too, so that time does not tell.
	if o.helped, err = s.helpedDevice(ctx, s.d.Store, someone(tenant, o.person), m); err != nil {
		return Recovery{}, "", err
	}
	fresh := s.d.Hasher.Secret(s.d.IDs)
	var (
		r       Recovery
		refusal error
	)
	err = s.d.Tx.InTx(ctx, func(tx Tx) (err error) {
		o := o
		r, refusal = Recovery{}, o.refusal
		if refusal == nil {
			refusal, err = s.judge(ctx, tx, &o, now)
		}
		if err != nil {
			return err
		}
		if refusal != nil {
			return tx.AppendAudit(ctx, s.recoveryEvent(o, refusal, now))
		}
		r, err = s.proven(ctx, tx, o, fresh, now)
		return err
	})
	switch {
	case err != nil || refusal != nil:
		return Recovery{}, "", firstOf(err, refusal)
	case r.Hash == s.recoverySecret(fresh):
		return r, fresh, nil
	}
	return r, "", nil
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (s *Service) recoverySecret(secret string) string { return s.d.Hasher.Hash("recovery", secret) }

func recoveryRefused() error {
	return errs.New(errs.Unauthenticated, "recovery-refused", "That was not right, or it does not belong to this account.")
}

// offer finds the account and does the costly part of looking at a proof.
func (s *Service) offer(ctx context.Context, tenant string, t RecoveryTry, m Meta, now time.Time) (offered, error) {
	found, err := s.find(ctx, tenant, t.Username, m)
	if err != nil {
		return offered{}, err
	}
	o := offered{RecoveryTry: t, candidate: found, meta: m, proof: RecoveryProof{Kind: t.Kind, At: now}}
	// What may be guessed counts as a second proof only: nobody tries it here who has
	// not shown another.
	if begun, _, err := s.Recovery(ctx, tenant, t.Secret); err == nil {
		o.guessable = begun.PersonID == found.person.ID
	} else if !errs.Is(err, errs.NotFound) {
		return o, err
	}
	o.try = s.recoveryTry(o)
	if o.refusal, err = s.refused(ctx, s.d.Store, o.try, now); err != nil || o.refusal != nil {
		return o, err
	}
	if t.Kind == ProofPassword && o.guessable {
		if err := s.verify(ctx, &o.candidate, t.Value); err != nil {
			return o, err
		}
		if o.reason == directoryUnreachable {
			o.refusal = o.outage
			return o, nil
		}
	}
	switch {
	case o.reason != "":
	case found.person.ID == "":
		o.reason = "account-unknown"
	case found.person.Disabled:
		o.reason = "account-disabled"
	}
	return o, s.offerSent(ctx, tenant, &o, now)
}

// offerSent looks at the kinds that come with a challenge.
func (s *Service) offerSent(ctx context.Context, tenant string, o *offered, now time.Time) (err error) {
	reason := ""
	switch o.Kind {
	case ProofContact:
		o.ticket, reason = s.checkContact(o.Username, o.Binding, o.Ticket, o.Value, now)
	case ProofPasskey:
		if o.key, err = s.verifyPasskey(ctx, tenant, purposeRegain, o.Binding, o.Answer, now); err != nil {
			return err
		}
		if reason = o.key.reason; reason == "" && o.key.factor.PersonID != o.person.ID {
			reason = "passkey-of-another"
		}
		o.proof.Factor = o.key.factor.ID
	case ProofPassword, ProofApp:
		if !o.guessable {
			reason = "recovery-proof-first"
		}
	case ProofRecovery:
	default:
		reason = "recovery-kind"
	}
	if o.reason == "" {
		o.reason = reason
	}
	return nil
}

// recoveryTry counts what may be guessed with the log-in of its kind. What cannot
// be guessed is counted for the account and the network together: strangers close
// the way for nobody else (SM-17).
func (s *Service) recoveryTry(o offered) try {
	var out try
	account := s.account(o.Username)
	switch {
	case o.Kind == ProofPassword && o.guessable:
		out = s.passwordTry(o.tenant, o.Username, o.onKnown, o.meta)
		out.limits = slices.DeleteFunc(out.limits, func(l keyed) bool { return l.work })
	case o.Kind == ProofApp && o.guessable:
		out = s.codeTry(o.tenant, o.person.ID, o.onKnown, o.meta)
	default:
		prefix := AddressPrefix(o.meta.Address)
		out = try{tenant: o.tenant, meta: o.meta, account: account, onKnown: o.onKnown, limits: []keyed{
			{key: "recovery:pair:" + account + ":" + prefix, Limit: s.d.Policy.PerPair},
			{key: "recovery:address:" + prefix, Limit: s.d.Policy.PerAddress, sticky: true},
		}}
		if o.Kind == ProofContact {
			out.limits = append(out.limits, s.ticketLimit(o.Ticket))
		}
	}
	out.person = o.person.ID
	return out
}

// judge counts the try and lets a good proof be used up.
func (s *Service) judge(ctx context.Context, tx Tx, o *offered, now time.Time) (refusal, err error) {
	before, err := s.exhausted(ctx, tx, o.try, now)
	if err == nil && !before && o.reason == "" && (o.Kind == ProofApp || o.Kind == ProofRecovery) {
		err = s.useCode(ctx, tx, o, now)
	}
	if err != nil {
		return nil, err
	}
	if busy, err := s.admit(ctx, tx, o.try, o.reason == "", now); busy || before || err != nil {
		return s.tooMany(o.try.limits[0].Window), err
	}
	if o.reason == "" && o.Kind == ProofPasskey {
		if o.reason, err = s.accept(ctx, tx, o.key, now); err != nil {
			return nil, err
		}
	}
	if o.reason == "" && o.Kind == ProofContact {
		err := s.spend(ctx, tx, o.tenant, o.Ticket, o.ticket)
		if err != nil && !errs.Is(err, errs.Unauthenticated) {
			return nil, err
		}
		if err != nil {
			o.reason = errs.As(err).Code
		}
	}
	if o.reason != "" {
		return recoveryRefused(), nil
	}
	return nil, s.forget(ctx, tx, o.try)
}

// useCode looks for the code among those of the person and uses it up.
func (s *Service) useCode(ctx context.Context, tx Tx, o *offered, now time.Time) error {
	factors, err := tx.Factors(ctx, o.tenant, o.person.ID)
	if err != nil {
		return err
	}
	o.reason = "code-wrong"
	for _, f := range factors {
		used := false
		switch {
		case o.Kind == ProofRecovery:
			used, err = s.useRecovery(ctx, tx, f, o.Value, o.meta, now)
		case f.Kind == FactorTOTP:
			used, err = s.useStep(ctx, tx, f, o.Value, now)
		}
		if err != nil {
			return err
		}
		if used {
			o.reason, o.proof.Factor = "", f.ID
			return nil
		}
	}
	return nil
}

func (s *Service) useStep(ctx context.Context, tx Tx, f Factor, code string, now time.Time) (bool, error) {
	step, ok, err := s.d.Codes.Check(f.Secret, code, now)
	if err != nil || !ok {
		return false, err
	}
	return tx.AdvanceFactor(ctx, f.Tenant, f.ID, step)
}

// proven notes a good proof, and begins a recovery with the first.
func (s *Service) proven(ctx context.Context, tx Tx, o offered, fresh string, now time.Time) (Recovery, error) {
	r, err := s.begun(ctx, tx, o, now)
	if err != nil {
		return r, err
	}
	if r.ID == "" {
		r = Recovery{
			Tenant: o.tenant, ID: s.d.IDs.ID(), Hash: s.recoverySecret(fresh), PersonID: o.person.ID, State: RecoveryProving,
			Created: now, Ends: now.Add(recoveryProving), Strange: !o.onKnown, Helped: o.helped,
		}
	}
	before := r.Version
	if !slices.ContainsFunc(r.Proofs, func(p RecoveryProof) bool { return p.Kind == o.proof.Kind && p.Factor == o.proof.Factor }) {
		r.Proofs = append(r.Proofs, o.proof)
	}
	return s.advance(ctx, tx, r, before, o.person, o.meta, now)
}

// begun gives the recovery that this browser has begun for the same account, the
// zero Recovery for none.
func (s *Service) begun(ctx context.Context, tx Tx, o offered, now time.Time) (Recovery, error) {
	if o.Secret == "" {
		return Recovery{}, nil
	}
	r, err := tx.RecoveryByHash(ctx, o.tenant, s.recoverySecret(o.Secret))
	if errs.Is(err, errs.NotFound) || err == nil && (!r.Live(now) || r.PersonID != o.person.ID) {
		return Recovery{}, nil
	}
	return r, err
}

// advance stores a recovery with one proof more: with enough of them it waits for
// what the plan wants.
func (s *Service) advance(ctx context.Context, tx Tx, r Recovery, before int, p Person, m Meta, now time.Time) (Recovery, error) {
	what := ""
	if before == 0 {
		what = "begun"
	}
	if r.State == RecoveryProving && Independent(r.Proofs) {
		var wait time.Duration
		wait, r.Needs = RecoveryPlan(p, r)
		r.State, r.Ready, r.Ends, what = RecoveryWaiting, now.Add(wait), now.Add(recoveryOpen), "waiting"
	}
	r.Version = before + 1
	if err := tx.PutRecovery(ctx, r, before); err != nil {
		return r, err
	}
	e := s.event(audit.RecoveryStep, try{tenant: r.Tenant, meta: m}, p.ID, now)
	last := r.Proofs[len(r.Proofs)-1]
	e.Reason, e.Detail = "proof-"+string(last.Kind), map[string]string{"recovery": r.ID, "state": string(r.State)}
	if last.By != "" {
		e.Detail["staff"], e.Detail["how"] = last.By, last.How
	}
	if err := tx.AppendAudit(ctx, e); err != nil || what == "" {
		return r, err
	}
	return r, s.tellRecovery(ctx, tx, r, what, now)
}

// tellRecovery leaves a message for all contacts of the person.
func (s *Service) tellRecovery(ctx context.Context, tx Tx, r Recovery, what string, now time.Time) error {
	args := map[string]string{"what": what}
	if r.Live(now) {
		args["stop"] = s.StopToken(r)
	}
	return tx.AddNotice(ctx, outbox.Notice{Tenant: r.Tenant, ID: s.d.IDs.ID(), PersonID: r.PersonID, Template: NoticeRecovery, Args: args, Created: now})
}

// StopToken is what the link of a recovery holds: it does nothing but stop it.
func (s *Service) StopToken(r Recovery) string {
	return r.ID + "." + base64.RawURLEncoding.EncodeToString(s.d.Hasher.At(r.Created).Sum("recovery-stop", r.ID))
}

// StopRecovery stops the recovery of a link, if it still runs. It never tells
// whether there was one. Errors: errs.Unavailable.
func (s *Service) StopRecovery(ctx context.Context, tenant, token string, m Meta) error {
	now := s.now()
	id, _, _ := strings.Cut(token, ".")
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		r, err := tx.RecoveryByID(ctx, tenant, id)
		if errs.Is(err, errs.NotFound) || err == nil && (!ids.Equal(s.StopToken(r), token) || !r.Live(now)) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.endRecovery(ctx, tx, r, RecoveryStopped, "stopped", "", m, now)
	})
}

// endRecovery closes a recovery and tells of it.
func (s *Service) endRecovery(ctx context.Context, tx Tx, r Recovery, to RecoveryState, what, by string, m Meta, now time.Time) error {
	before := r.Version
	r.State, r.Version = to, before+1
	if err := tx.PutRecovery(ctx, r, before); err != nil {
		return err
	}
	e := s.event(audit.RecoveryStep, try{tenant: r.Tenant, meta: m}, r.PersonID, now)
	e.Reason, e.Detail = what, map[string]string{"recovery": r.ID, "state": string(to)}
	if by != "" {
		e.Detail["staff"] = by
	}
	if err := tx.AppendAudit(ctx, e); err != nil {
		return err
	}
	return s.tellRecovery(ctx, tx, r, what, now)
}

func (s *Service) recoveryEvent(o offered, refusal error, now time.Time) audit.Event {
	e := s.event(audit.RecoveryStep, o.try, o.person.ID, now)
	e.Outcome, e.Reason = audit.MinorFailure, o.reason
	if errs.Is(refusal, errs.RateLimited) {
		e.Outcome, e.Reason = audit.SeriousFailure, errs.As(refusal).Code
	}
	e.Detail = map[string]string{"proof": string(o.Kind)}
	if o.person.ID == "" {
		e.Detail["username_hash"] = s.account(o.Username)
	}
	return e
}

// Recovery gives the recovery that a browser has begun. Errors: errs.NotFound with
// code recovery-over when there is none that lives; errs.Unavailable.
func (s *Service) Recovery(ctx context.Context, tenant, secret string) (Recovery, Person, error) {
	r, err := s.d.Store.RecoveryByHash(ctx, tenant, s.recoverySecret(secret))
	if errs.Is(err, errs.NotFound) || err == nil && (secret == "" || !r.Live(s.now())) {
		return Recovery{}, Person{}, recoveryOver()
	}
	if err != nil {
		return Recovery{}, Person{}, err
	}
	p, err := s.d.Store.PersonByID(ctx, tenant, r.PersonID)
	if err == nil {
		err = s.open(ctx, s.d.Store, r, p)
	}
	if err != nil {
		return Recovery{}, Person{}, err
	}
	all, err := s.d.Store.Factors(ctx, tenant, p.ID)
	_, r.Elsewhere = keptOf(all)
	return r, p, err
}

func recoveryOver() error {
	return errs.New(errs.NotFound, "recovery-over", "There is nothing under way to get back into an account, or it is over.")
}
