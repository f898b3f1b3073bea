package identity

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// NoticeSignIn is the template of the notice that something about signing in was
// unusual. Args: what, one of new-device, session-copied, sign-in-stopped,
// sign-in-refused, contact-changed.
const NoticeSignIn = "sign-in-noticed"

// Place is where an address is: an ISO 3166 country, and a point where Located.
type Place struct {
	Country             string
	Latitude, Longitude float64
	Located             bool
}

// RiskSignals is what is recorded about a log-in that proved all it has to.
type RiskSignals struct {
	// Device is known, new or shared; FirstEver says that the person finished no log-in
	// before.
	Device    DeviceClass
	FirstEver bool
	// NewNetwork says that no known device of the person was last seen in the network.
	NewNetwork bool
	// Failures is how many tries at the account failed on strange devices in the last
	// hour.
	Failures int
	// NewNetworks is in how many other networks devices became known within the last
	// hour.
	NewNetworks int
	// NewCountry says that places of known devices are known and that this is in none of
	// their countries; Travelling that the person said so beforehand.
	NewCountry, Travelling bool
	// Speed is how fast the person came from their last log-in, in km/h, zero where that
	// is not known.
	Speed float64
	// KnownPassword says that the password given is on the list of breached ones.
	KnownPassword bool
	// TwoFactors were proven; Resistant says that the proof cannot be passed on: a
	// passkey, or the word of an identity provider.
	TwoFactors, Resistant bool
}

// RiskOutcome is what a log-in leads to beside what its role needs.
type RiskOutcome string

// The outcomes, the gravest last. RiskStepUp asks for two factors, RiskDelay to come
// again later, RiskBlock refuses.
const (
	RiskAllow  RiskOutcome = "allow"
	RiskNotify RiskOutcome = "notify"
	RiskStepUp RiskOutcome = "step-up"
	RiskDelay  RiskOutcome = "delay"
	RiskBlock  RiskOutcome = "block"
)

// riskDelay is how long RiskDelay lasts, and the time that NewNetworks looks back.
const riskDelay = time.Hour

// Assessment is an outcome with the rules that led to it.
type Assessment struct {
	Outcome RiskOutcome
	Reasons []string
}

// refusal gives why a log-in that proved all it has to is not let in, nil when it is.
// A step-up that is still open here cannot be asked for: the account has nothing more
// to prove with.
func (a Assessment) refusal() error {
	switch a.Outcome {
	case RiskDelay:
		return errs.Wrap(&Throttled{After: riskDelay}, errs.RateLimited, tooManyTries, "There were sign-ins from too many places within an hour. Wait a while, then try again.")
	case RiskStepUp, RiskBlock:
		return errs.New(errs.AccessDenied, "sign-in-unusual", "This sign-in is unlike those before. Sign in on a device that was used before, or call the help desk.")
	}
	return nil
}

// assess judges a log-in that has just been finished, and tells the person of what
// they may not know. Its device is not among the known ones yet.
func (s *Service) assess(ctx context.Context, tx Tx, sess Session, t try, now time.Time) (Assessment, error) {
	if s.d.Assess == nil || sess.Browser == "" {
		return Assessment{Outcome: RiskAllow}, nil
	}
	devices, err := tx.DevicesOfPerson(ctx, sess.Tenant, sess.PersonID)
	if err != nil {
		return Assessment{}, err
	}
	signals := RiskSignals{
		Device: DeviceNew, FirstEver: len(devices) == 0, NewNetwork: true, Failures: t.failures, KnownPassword: t.leaked,
		Travelling: now.Before(t.travels), TwoFactors: sess.Level().Reaches(AAL2), Resistant: resistant(sess),
	}
	switch {
	case sess.Shared:
		signals.Device = DeviceShared
	case t.onKnown:
		signals.Device = DeviceKnown
	}
	fresh := map[string]bool{}
	for _, d := range devices {
		signals.NewNetwork = signals.NewNetwork && d.Network != sess.Network
		if now.Sub(d.Created) < riskDelay && d.Network != sess.Network {
			fresh[d.Network] = true
		}
	}
	signals.NewNetworks = len(fresh)
	s.journey(&signals, devices, sess.Network, now)
	a := s.d.Assess(signals)
	switch {
	case a.Outcome == RiskAllow:
		return a, nil
	case a.refusal() != nil:
		return a, s.noteRefused(ctx, tx, sess, now)
	}
	return a, s.noteSignIn(ctx, tx, sess.Tenant, sess.PersonID, "new-device", now)
}

// resistant reports whether a session was proven by what cannot be passed on.
func resistant(sess Session) bool {
	return slices.ContainsFunc(sess.AMR, func(m string) bool {
		return m == methodPossession || m == methodSoftware || m == methodVouched
	})
}

// journey says how a log-in's place lies to those of the known devices.
func (s *Service) journey(to *RiskSignals, devices []Device, network string, now time.Time) {
	if s.d.Places == nil {
		return
	}
	here, ok := s.d.Places(network)
	if !ok {
		return
	}
	var (
		last  Device
		from  Place
		known []string
	)
	for _, d := range devices {
		at, ok := s.d.Places(d.Network)
		if !ok {
			continue
		}
		known = append(known, at.Country)
		if d.LastSeen.After(last.LastSeen) {
			last, from = d, at
		}
	}
	to.NewCountry = len(known) > 0 && !slices.Contains(known, here.Country)
	if from.Located && here.Located {
		to.Speed = max(0, distance(from, here)-nearby) / max(now.Sub(last.LastSeen), time.Minute).Hours()
	}
}

// nearby is how far apart two places may be said to be that are one, in km.
const nearby = 150

// distance gives the way between two places over the Earth, in km.
func distance(a, b Place) float64 {
	const radius, degree = 6371, math.Pi / 180
	sin := func(x float64) float64 { return math.Pow(math.Sin(x*degree/2), 2) }
	h := sin(b.Latitude-a.Latitude) + math.Cos(a.Latitude*degree)*math.Cos(b.Latitude*degree)*sin(b.Longitude-a.Longitude)
	return 2 * radius * math.Asin(math.Sqrt(min(1, h)))
}

// unusual refuses a log-in that was judged too unusual, and records why.
func (s *Service) unusual(ctx context.Context, tx Tx, e audit.Event, a Assessment, refusal error) (outcome, error) {
	e.Outcome, e.Reason, e.Detail = audit.SeriousFailure, errs.As(refusal).Code, a.detail(map[string]string{})
	return outcome{refusal: refusal}, tx.AppendAudit(ctx, e)
}

// refusedNotices is how often in a while a person is told of log-ins that were refused:
// who has their password must not fill their mailbox. The audit log has every one.
var refusedNotices = Limit{Tries: 3, Window: 24 * time.Hour}

// noteRefused tells a person of a log-in that was refused, within refusedNotices.
func (s *Service) noteRefused(ctx context.Context, tx Tx, sess Session, now time.Time) error {
	n, err := tx.CountFailure(ctx, sess.Tenant, s.d.Hasher.Hash("notice", "sign-in-refused\x00"+sess.PersonID), now, refusedNotices.Window)
	if err != nil || n > refusedNotices.Tries {
		return err
	}
	return s.noteSignIn(ctx, tx, sess.Tenant, sess.PersonID, "sign-in-refused", now)
}

func (s *Service) noteSignIn(ctx context.Context, tx Tx, tenant, personID, what string, now time.Time) error {
	return tx.AddNotice(ctx, outbox.Notice{
		Tenant: tenant, ID: s.d.IDs.ID(), PersonID: personID, Template: NoticeSignIn, Args: map[string]string{"what": what}, Created: now,
	})
}

// detail adds an assessment to what the audit log tells of a log-in.
func (a Assessment) detail(into map[string]string) map[string]string {
	if len(a.Reasons) > 0 {
		into["risk"] = string(a.Outcome) + ": " + strings.Join(a.Reasons, " ")
	}
	return into
}
