package identity

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// methodMulti is the method of a log-in of which the provider said that it took
// more than one factor (RFC 8176).
const methodMulti = "mfa"

// purposeUpstream keeps what is spent of answers apart from other challenges.
const purposeUpstream = "upstream-answer"

// Upstream is somebody whom a configured identity provider has signed in.
type Upstream struct {
	// Provider is the id that the configuration gives the provider, Subject what it
	// calls the person, unchanging.
	Provider, Subject string
	// Session is what it calls its own session; empty where it does not say.
	Session string
	// Level is the assurance that the operator's table gives the log-in; "" is the
	// lowest.
	Level Level
	// Answer is unique to this answer, which counts once until Until.
	Answer string
	Until  time.Time
	Named
	// Said is what staff see who have to decide, in words of the provider.
	Said map[string]string
}

// Named is whom the operator's rules find for what a provider says of a person.
type Named struct {
	// Found are the FHIR resources, Username the account where a rule says so.
	Found    []fhir.Reference
	Username string
	// Sure: a single one may be believed without a human look.
	Sure bool
}

// UpstreamSession joins a session with the one at the provider from which it comes.
type UpstreamSession struct {
	Tenant string
	// Hash is that of the session, Provider the id of the provider, Subject and
	// Session keyed hashes of what the provider calls person and session.
	Hash, Provider, Subject, Session string
	// Ends is when the session ends at the latest.
	Ends time.Time
}

// linkSecret is the stored secret of a factor of the kind FactorUpstream.
type linkSecret struct {
	Provider string `json:"provider"`
}

// Upstream gives the provider of a link; ok is false for another kind of factor.
func (f Factor) Upstream() (provider string, ok bool) {
	var l linkSecret
	if f.Kind != FactorUpstream || json.Unmarshal(f.Secret, &l) != nil {
		return "", false
	}
	return l.Provider, true
}

// linkID is the id of the factor that links a subject: a subject belongs to one
// account at most.
func (s *Service) linkID(provider, subject string) string {
	return s.d.Hasher.Hash("upstream-subject", provider+"\x00"+subject)
}

// SignInUpstream logs somebody in whom an identity provider has signed in. The
// account is the one that is linked to the subject, or else the only one for which
// the rules are sure, which is linked then; its owner is told. Where the rules find
// somebody and are not sure, staff get a case to decide. What the provider
// asked of the person counts as its level says: who needs two factors and did not
// prove both there gets half a log-in, for SecondFactor (NI-01). Errors:
// errs.AccessDenied with code idp-person-unknown for nobody and for a disabled
// account alike, idp-under-review, idp-replayed; errs.Unavailable.
func (s *Service) SignInUpstream(ctx context.Context, tenant string, u Upstream, m Meta) (SignInResult, error) {
	now, secret := s.now(), s.d.Hasher.Secret(s.d.IDs)
	var out outcome
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		fresh, err := tx.SpendChallenge(ctx, tenant, s.d.Hasher.Hash(purposeUpstream, u.Provider+"\x00"+u.Answer), u.Until)
		if err != nil {
			return err
		}
		var who recognised
		if fresh {
			who, err = s.recognise(ctx, tx, tenant, u)
		} else {
			who.reason = "idp-replayed"
		}
		if err != nil {
			return err
		}
		out, err = s.signInUpstream(ctx, tx, arrival{who, u, tenant, secret, m}, now)
		return err
	})
	if err != nil {
		return SignInResult{}, err
	}
	return out.result, out.refusal
}

// recognised is whom the link or the rules name; reason is why it is nobody.
type recognised struct {
	person  Person
	factors []Factor
	// link says that the subject is not linked yet.
	link   bool
	reason string
}

// arrival is one log-in from a provider.
type arrival struct {
	recognised
	upstream Upstream
	tenant   string
	secret   string
	meta     Meta
}

// recognise finds the account of a subject.
func (s *Service) recognise(ctx context.Context, tx Tx, tenant string, u Upstream) (who recognised, err error) {
	f, err := tx.FactorByID(ctx, tenant, s.linkID(u.Provider, u.Subject))
	switch {
	case err == nil:
		who.person, err = tx.PersonByID(ctx, tenant, f.PersonID)
	case !errs.Is(err, errs.NotFound):
		return who, err
	case len(u.Found) == 0 && u.Username == "":
		return recognised{reason: "account-unknown"}, nil
	case !u.Sure || len(u.Found) > 1:
		return recognised{reason: "idp-under-review"}, nil
	case len(u.Found) == 0:
		who.link = true
		who.person, err = tx.PersonByUsername(ctx, tenant, FoldUsername(u.Username))
	default:
		who.link = true
		if who.person, err = tx.PersonByIdentity(ctx, tenant, u.Found[0]); err == nil && !who.person.stands(u.Found[0]) {
			return recognised{reason: "idp-under-review"}, nil
		}
	}
	switch {
	case errs.Is(err, errs.NotFound):
		return recognised{reason: "account-unknown"}, nil
	case err != nil:
		return who, err
	case who.person.Disabled:
		who.reason = "account-disabled"
		return who, nil
	}
	who.factors, err = tx.Factors(ctx, tenant, who.person.ID)
	if who.link && slices.ContainsFunc(who.factors, func(f Factor) bool { p, _ := f.Upstream(); return p == u.Provider }) {
		// Another subject of the same provider claims the account.
		return recognised{reason: "idp-under-review"}, err
	}
	return who, err
}

// stands reports whether a verified link of the account names the resource.
func (p Person) stands(ref fhir.Reference) bool {
	return slices.ContainsFunc(p.Identities, func(id Identity) bool { return id.Resource == ref && id.Verified })
}

func (s *Service) signInUpstream(ctx context.Context, tx Tx, a arrival, now time.Time) (outcome, error) {
	p := a.person
	t := try{tenant: a.tenant, meta: a.meta, travels: p.Travels}
	e := s.event(audit.LoginFailed, t, p.ID, now)
	e.Detail = map[string]string{"amr": methodVouched, "idp": a.upstream.Provider}
	if a.reason != "" {
		return s.turnAway(ctx, tx, a, e, now)
	}
	e.Kind = audit.LoginSucceeded
	if a.link {
		f, err := newLink(p.Tenant, s.linkID(a.upstream.Provider, a.upstream.Subject), p.ID, a.upstream.Provider, now)
		if err == nil {
			err = s.addLink(ctx, tx, change{factor: f, meta: a.meta, reason: "matched-by-rule"}, now)
		}
		if err != nil {
			return outcome{}, err
		}
	}
	r := SignInResult{Secret: a.secret, Person: p}
	used := []string{methodVouched}
	if a.upstream.Level.Reaches(AAL2) {
		used = append(used, methodMulti)
	}
	own := p.HighRisk || !a.upstream.Level.Reaches(AAL2)
	enrolled := slices.ContainsFunc(a.factors, func(f Factor) bool { return f.Kind.Second() })
	r.NeedsSecondFactor = own && (enrolled || p.Role.NeedsSecondFactor())
	r.Session = s.newSession(p, a.secret, r.NeedsSecondFactor, a.meta, now)
	if r.NeedsSecondFactor {
		e.Reason = "second-factor-needed"
	} else {
		r.Session.AMR = used
	}
	err := tx.NoteUpstream(ctx, UpstreamSession{
		Tenant: p.Tenant, Hash: r.Session.Hash, Provider: a.upstream.Provider, Subject: s.linkID(a.upstream.Provider, a.upstream.Subject),
		Session: s.upstreamSession(a.upstream.Provider, a.upstream.Session), Ends: r.Session.Ends,
	})
	if err == nil {
		err = s.enter(ctx, tx, &r, t, e, now)
	}
	return outcome{result: r}, err
}

// turnAway writes why nobody is logged in, and leaves a case to decide where staff
// can help.
func (s *Service) turnAway(ctx context.Context, tx Tx, a arrival, e audit.Event, now time.Time) (outcome, error) {
	e.Outcome, e.Reason = audit.MinorFailure, a.reason
	refusal := errs.New(errs.AccessDenied, "idp-person-unknown", "The person whom the identity provider names has no account here.")
	switch a.reason {
	case "idp-replayed":
		refusal = errs.New(errs.AccessDenied, a.reason, "This answer of the identity provider was used before.")
	case "idp-under-review":
		refusal = errs.New(errs.AccessDenied, a.reason, "Staff have to look who the person is.")
		if err := s.askStaff(ctx, tx, a.tenant, a.upstream, now); err != nil {
			return outcome{}, err
		}
	}
	return outcome{refusal: refusal}, tx.AppendAudit(ctx, e)
}

// enter stores the session of a log-in for which a provider vouches, ends the one
// before and makes the device known.
func (s *Service) enter(ctx context.Context, tx Tx, r *SignInResult, t try, e audit.Event, now time.Time) (err error) {
	if t.onKnown, err = s.knows(ctx, tx, t.tenant, r.Person.ID, t.meta); err != nil {
		return err
	}
	var a Assessment
	if r.Device, a, err = s.know(ctx, tx, &r.Session, t, now); err != nil {
		return err
	}
	e.SessionID, e.Detail = r.Session.Hash, a.detail(e.Detail)
	if t.meta.Previous != "" {
		if err := tx.EndSession(ctx, t.tenant, s.hash(t.meta.Previous), now); err != nil {
			return err
		}
	}
	if err := tx.CreateSession(ctx, r.Session); err != nil {
		return err
	}
	return tx.AppendAudit(ctx, e)
}

// newLink is the factor that links a subject to an account.
func newLink(tenant, id, personID, provider string, now time.Time) (Factor, error) {
	secret, err := json.Marshal(linkSecret{Provider: provider})
	if err != nil {
		return Factor{}, errs.Wrap(err, errs.Internal, "factor-unreadable", "The link could not be written.")
	}
	return Factor{Tenant: tenant, ID: id, PersonID: personID, Kind: FactorUpstream, Secret: secret, Created: now}, nil
}

// addLink stores a link; the owner of the account is told.
func (s *Service) addLink(ctx context.Context, tx Tx, c change, now time.Time) error {
	if err := tx.AddFactor(ctx, c.factor); err != nil {
		return err
	}
	c.kind, c.outcome = audit.FactorAdded, audit.Success
	return s.factorChanged(ctx, tx, c, now)
}

// upstreamSession is how a provider's session is stored; "" stays "".
func (s *Service) upstreamSession(provider, session string) string {
	if session == "" {
		return ""
	}
	return s.d.Hasher.Hash("upstream-session", provider+"\x00"+session)
}

// begunWith gives the methods with which an unfinished log-in has begun, and the
// provider's session where it began at one.
func (s *Service) begunWith(ctx context.Context, tx Tx, old Session) ([]string, UpstreamSession, error) {
	v, err := tx.UpstreamOf(ctx, old.Tenant, old.Hash)
	if errs.Is(err, errs.NotFound) {
		return []string{methodPassword}, v, nil
	}
	return []string{methodVouched}, v, err
}

// UpstreamEnd is what ended at a provider: one session of it, or without one all of
// a subject. Answer is unique to the message, which counts once until Until.
type UpstreamEnd struct {
	Subject, Session string
	Answer           string
	Until            time.Time
}

// EndUpstream ends the sessions that come from what ended at a provider, and gives
// their number; a message that came before ends nothing. Errors: errs.InvalidRequest
// with code idp-logout-replayed; errs.Unavailable.
func (s *Service) EndUpstream(ctx context.Context, tenant, provider string, u UpstreamEnd, m Meta) (ended int, err error) {
	now, subject := s.now(), ""
	if u.Subject != "" {
		subject = s.linkID(provider, u.Subject)
	}
	fresh := false
	err = s.d.Tx.InTx(ctx, func(tx Tx) (err error) {
		ended = 0
		fresh, err = tx.SpendChallenge(ctx, tenant, s.d.Hasher.Hash(purposeUpstream, "logout\x00"+provider+"\x00"+u.Answer), u.Until)
		if err != nil || !fresh {
			return err
		}
		all, err := tx.UpstreamSessions(ctx, tenant, provider, subject, s.upstreamSession(provider, u.Session), now)
		for i := 0; err == nil && i < len(all); i++ {
			var n int
			n, err = s.endFamily(ctx, tx, tenant, all[i].Hash, endedUpstream, m, now)
			ended += n
		}
		return err
	})
	if err == nil && !fresh {
		err = errs.New(errs.InvalidRequest, "idp-logout-replayed", "This logout token was used before.")
	}
	return ended, err
}

// endFamily ends the live session of a hash, or the one that stepped up from it.
func (s *Service) endFamily(ctx context.Context, tx Tx, tenant, hash, reason string, m Meta, now time.Time) (int, error) {
	first, err := tx.SessionByHash(ctx, tenant, hash)
	if errs.Is(err, errs.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	live, err := tx.SessionsOfPerson(ctx, tenant, first.PersonID, now)
	ended := 0
	for i := 0; err == nil && i < len(live); i++ {
		if live[i].Hash == hash || live[i].Family == hash {
			ended++
			err = s.endOne(ctx, tx, live[i], reason, m, now)
		}
	}
	return ended, err
}

// UpstreamOf gives the id of the provider from which a session comes, "" for none.
// Errors: errs.Unavailable.
func (s *Service) UpstreamOf(ctx context.Context, sess Session) (string, error) {
	hash := sess.Hash
	if sess.Family != "" {
		hash = sess.Family
	}
	if !slices.Contains(sess.AMR, methodVouched) {
		return "", nil
	}
	v, err := s.d.Store.UpstreamOf(ctx, sess.Tenant, hash)
	if errs.Is(err, errs.NotFound) {
		return "", nil
	}
	return v.Provider, err
}

// said joins what a provider says for the eyes of staff, bounded.
func said(all map[string]string) map[string]string {
	const longest = 200
	out := map[string]string{}
	for k, v := range all {
		if v = strings.TrimSpace(v); len(v) > longest {
			v = strings.ToValidUTF8(v[:longest], "")
		}
		out[k] = v
	}
	return out
}

// endLinked ends the sessions that came by a link, but for the one that asks.
func (s *Service) endLinked(ctx context.Context, tx Tx, mine Session, f Factor, m Meta) error {
	provider, ok := f.Upstream()
	if !ok {
		return nil
	}
	now := s.now()
	all, err := tx.UpstreamSessions(ctx, f.Tenant, provider, f.ID, "", now)
	for i := 0; err == nil && i < len(all); i++ {
		if all[i].Hash != mine.Hash && all[i].Hash != mine.Family {
			_, err = s.endFamily(ctx, tx, f.Tenant, all[i].Hash, endedByOwner, m, now)
		}
	}
	return err
}

// LinkUpstream links a subject, whom a provider has just signed in, to the account of
// a session that is fresh and strong enough to change authenticators (SM-05): two
// proofs, one of each side. Its owner is told. Errors: errs.Unauthenticated with code
// session-ended or step-up-needed; errs.AccessDenied with code idp-replayed;
// errs.Conflict with code idp-linked when the subject is somebody's or the account has
// another one of the provider; errs.Unavailable.
func (s *Service) LinkUpstream(ctx context.Context, tenant, secret string, u Upstream, m Meta) error {
	now := s.now()
	var refusal error
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		refusal = nil
		who, err := s.manage(ctx, tx, tenant, secret, now)
		if err != nil {
			return err
		}
		f, err := newLink(tenant, s.linkID(u.Provider, u.Subject), who.person.ID, u.Provider, now)
		if err != nil {
			return err
		}
		c := change{factor: f, meta: m, session: who.session.Hash, reason: "linked-by-owner"}
		if refusal, err = s.linkable(ctx, tx, who, u, f); err != nil {
			return err
		}
		if refusal == nil {
			return s.addLink(ctx, tx, c, now)
		}
		c.kind, c.outcome, c.reason, c.quiet = audit.FactorAdded, audit.MinorFailure, errs.As(refusal).Code, true
		return s.factorChanged(ctx, tx, c, now)
	})
	if err == nil {
		err = refusal
	}
	return err
}

// linkable says why a subject cannot be linked to the account of who asks.
func (s *Service) linkable(ctx context.Context, tx Tx, who manager, u Upstream, f Factor) (refusal, err error) {
	fresh, err := tx.SpendChallenge(ctx, f.Tenant, s.d.Hasher.Hash(purposeUpstream, u.Provider+"\x00"+u.Answer), u.Until)
	switch {
	case err != nil:
		return nil, err
	case !fresh:
		return errs.New(errs.AccessDenied, "idp-replayed", "This answer of the identity provider was used before."), nil
	}
	_, err = tx.FactorByID(ctx, f.Tenant, f.ID)
	have := slices.ContainsFunc(who.factors, func(o Factor) bool { p, _ := o.Upstream(); return p == u.Provider })
	if err == nil || have {
		return errs.New(errs.Conflict, "idp-linked", "The account of the identity provider, or another one of it, is linked already."), nil
	}
	if !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	return nil, nil
}
