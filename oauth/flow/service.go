package flow

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/access/preview"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/proxy"
)

// Tx is what the flow needs inside one transaction.
type Tx interface {
	oauth.Tx
	consent.Store
	outbox.Store
}

// Reader is what the flow reads outside a transaction.
type Reader interface {
	ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
	LaunchByHash(ctx context.Context, tenant, hash string) (oauth.Launch, error)
	Requests
	PersonByIdentity(ctx context.Context, tenant string, ref fhir.Reference) (identity.Person, error)
	RelatedPersonByID(ctx context.Context, tenant, id string) (proxy.RelatedPerson, error)
}

// Record reads the patient record behind Mandate.
type Record interface {
	preview.Record
	Patient(ctx context.Context, id string) (upstream.Demographics, error)
	FindPatients(ctx context.Context, name string, limit int) ([]upstream.Demographics, bool, error)
	CurrentEncounter(ctx context.Context, patient string) (string, error)
}

// Issuer makes authorization codes, and what is stored of them with the grant.
type Issuer interface {
	IssueCode(ctx context.Context, client oauth.Client, req oauth.AuthorizeRequest, g oauth.Grant) (code string, stored oauth.Code, err error)
}

// Objects verifies signed request objects; clientauth.Authenticator does.
type Objects interface {
	// RequestObject gives the parameters of an object that the client signed for
	// the issuer. Errors: errs.InvalidRequestObject, errs.Unavailable.
	RequestObject(ctx context.Context, c oauth.Client, raw, issuer string) (url.Values, error)
}

// Clients finds clients for people to decide on; registration.Documents does.
type Clients interface {
	// Current gives a client as it describes itself now. Errors: errs.NotFound;
	// errs.InvalidRequest for one that cannot be used; errs.Unavailable.
	Current(ctx context.Context, tenant, id string) (oauth.Client, error)
}

// Deps is what the service is made of.
type Deps struct {
	Tx        txn.Runner[Tx]
	Read      Reader
	Authority *authority.Loader
	Record    Record
	Issuer    Issuer
	Objects   Objects
	Clock     clock.Clock
	IDs       ids.Source
	Hasher    ids.Hasher
	// IssuerURL is the issuer identifier, Base the FHIR base URL.
	IssuerURL string
	Base      string
	// Clients finds the client that a request is from.
	Clients Clients
	// OtherBases are further addresses of the FHIR base, which an app may name
	// as well (D13).
	OtherBases []string
	// Devices finds the requests of devices, DevicePage is where people type their
	// codes.
	Devices    Devices
	DevicePage string
	// Providers are the identity providers at which people may log in; nil refuses
	// all.
	Providers Providers
	// StyleURL is told to apps launched by an EHR that gave no style.
	StyleURL string
	// Organization is the FHIR reference of the custodian in consents.
	Organization fhir.Reference
	// RequirePushed refuses every request that was not pushed; PushLife is how
	// long a request_uri serves, PushLife the constant when zero (RFC 9126).
	RequirePushed bool
	PushLife      time.Duration
	// Demands is the table of assurance; nil means identity.DefaultDemands.
	Demands []identity.DemandRule
}

// Service walks authorization requests.
type Service struct{ Deps }

// New makes the service.
func New(d Deps) *Service {
	if d.Demands == nil {
		d.Demands = identity.DefaultDemands()
	}
	return &Service{Deps: d}
}

// life is how long a person may take from the app's request to the answer.
const life = 30 * time.Minute

// Visitor is who is in front of the browser.
type Visitor struct {
	// Browser is the keyed hash of the flow cookie's secret.
	Browser string
	// Session and Person are zero when nobody is signed in.
	Session identity.Session
	Person  identity.Person
	// Network and RequestID go into the audit log.
	Network   string
	RequestID string
}

// SignedIn reports whether somebody is.
func (v Visitor) SignedIn() bool { return v.Person.ID != "" }

// Start judges an authorization request and stores it for the browser. A
// request that is turned down is a *Refusal; other errors are errs.Unavailable.
func (s *Service) Start(ctx context.Context, tenant string, v url.Values, who Visitor) (oauth.Pending, error) {
	now := s.Clock.Now()
	e, refusal := s.enter(ctx, tenant, v, now)
	if refusal != nil {
		return oauth.Pending{}, s.refuse(ctx, tenant, who, e.client.ID, refusal)
	}
	p := oauth.Pending{
		Tenant: tenant, ID: s.IDs.ID(), Browser: who.Browser, Request: e.req,
		Created: now, Expires: now.Add(life),
	}
	if err := s.store(ctx, &p, e, who); err != nil {
		if errs.Is(err, errs.Unavailable) {
			return oauth.Pending{}, err
		}
		refusal := &Refusal{Err: errs.As(err), RedirectURI: e.req.RedirectURI, State: e.req.State}
		if refusal.Err == errPushedUsed {
			refusal.RedirectURI = ""
		}
		return oauth.Pending{}, s.refuse(ctx, tenant, who, e.client.ID, refusal)
	}
	return p, nil
}

// single gives the value only if it is the only one: of two states neither is
// echoed.
func single(values []string) string {
	if len(values) != 1 || len(values[0]) > maxState {
		return ""
	}
	return values[0]
}

func (s *Service) client(ctx context.Context, tenant, id string) (oauth.Client, error) {
	client, err := s.Clients.Current(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) || (err == nil && client.Disabled) {
		return oauth.Client{}, errs.New(errs.InvalidRequest, "client-unknown", "The client_id is not registered here.")
	}
	return client, err
}

func (s *Service) addressee(ctx context.Context, tenant, clientID, redirectURI string) (oauth.Client, error) {
	client, err := s.client(ctx, tenant, clientID)
	if err != nil {
		return oauth.Client{}, err
	}
	if !RegisteredRedirect(client, redirectURI) {
		return oauth.Client{}, errs.New(errs.InvalidRequest, "redirect-uri-unregistered", "The redirect_uri is not registered for this client.")
	}
	return client, nil
}

// store redeems the launch handle and the request_uri, if any, and stores the
// request, all with their audit events in one transaction.
func (s *Service) store(ctx context.Context, p *oauth.Pending, in entry, who Visitor) error {
	var launch oauth.Launch
	if in.req.Launch != "" {
		var err error
		if launch, err = s.launch(ctx, p); err != nil {
			return err
		}
		p.Context = s.embedded(launch.Context)
		p.LaunchUser = launch.User
	}
	s.foresee(ctx, p, who)
	if p.Capacity.Kind != "" {
		// Nothing is left to find out: the browser carries it to the consent page,
		// and it is stored when it is answered, or changes after all.
		var err error
		if p.Carried, err = s.Read.CarryPending(ctx, *p); err != nil {
			return err
		}
	}
	return s.Tx.InTx(ctx, func(tx Tx) error {
		if in.pushed != "" {
			if first, err := tx.UsePushed(ctx, p.Tenant, in.pushed, p.Created); err != nil || !first {
				return cmp.Or[error](err, errPushedUsed)
			}
		}
		if in.req.Launch != "" {
			used, err := tx.UseLaunch(ctx, p.Tenant, launch.Hash, p.ID, p.Created)
			if err != nil {
				return err
			}
			if !used {
				return errLaunch
			}
			e := s.event(*p, who, audit.LaunchUsed)
			e.Patient = launch.Context.Patient
			if err := tx.AppendAudit(ctx, e); err != nil {
				return err
			}
		}
		if p.Carried == "" {
			if err := tx.PutPending(ctx, *p); err != nil {
				return err
			}
		}
		e := s.event(*p, who, audit.AuthorizeRequested)
		e.ClientID = in.client.ID
		return tx.AppendAudit(ctx, e)
	})
}

// foresee settles what Next would settle, so that a person who is signed in
// already costs no further write. Whatever stands in the way is left to Next.
func (s *Service) foresee(ctx context.Context, p *oauth.Pending, who Visitor) {
	if !signedInFor(*p, who, p.Created) || madeForAnother(*p, who) {
		return
	}
	ahead := *p
	settled, _, err := s.settleFrom(ctx, &ahead, p.Context, who)
	if err == nil && settled {
		*p = ahead
	}
}

// embedded fills in what an EHR left out: an app that is not told otherwise
// shows who the patient is (CTX-10, CTX-12).
func (s *Service) embedded(c oauth.Context) oauth.Context {
	if c.NeedPatientBanner == nil {
		show := true
		c.NeedPatientBanner = &show
	}
	if c.StyleURL == "" {
		c.StyleURL = s.StyleURL
	}
	return c
}

// errLaunch is the one answer to every launch handle that does not fit, so
// that a thief learns nothing (LAU-02).
var errLaunch = errs.New(errs.InvalidRequest, "launch-invalid", "The launch value is unknown, expired or already used, or it was made for another app.")

// launch gives the launch that a request names, still unused. Errors: errLaunch.
func (s *Service) launch(ctx context.Context, p *oauth.Pending) (oauth.Launch, error) {
	l, err := s.Read.LaunchByHash(ctx, p.Tenant, p.Request.Launch)
	if errs.Is(err, errs.NotFound) {
		return oauth.Launch{}, errLaunch
	}
	if err != nil {
		return oauth.Launch{}, err
	}
	if !l.Used.IsZero() || !p.Created.Before(l.Expires) || l.ClientID != p.Request.ClientID || l.Aud != p.Request.Aud {
		return oauth.Launch{}, errLaunch
	}
	return l, nil
}

// refuse records the refusal and gives it back.
func (s *Service) refuse(ctx context.Context, tenant string, who Visitor, clientID string, r *Refusal) error {
	if r.Err.Kind == errs.Unavailable {
		return r.Err
	}
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		e := s.event(oauth.Pending{Tenant: tenant}, who, audit.AuthorizeRefused)
		e.ClientID, e.Outcome, e.Reason = clientID, audit.MinorFailure, r.Err.Code
		explain(&e, unreadable(r.Asked))
		return tx.AppendAudit(ctx, e)
	})
	if err != nil {
		return err
	}
	return r
}

// event prepares an audit event of the flow.
func (s *Service) event(p oauth.Pending, who Visitor, kind audit.Kind) audit.Event {
	return audit.Event{
		Tenant: p.Tenant, Time: s.Clock.Now(), Kind: kind, Action: "E", Outcome: audit.Success,
		PersonID: who.Person.ID, SessionID: who.Session.Hash, Capacity: p.Capacity,
		ClientID: p.Request.ClientID, Patient: p.Context.Patient,
		Network: who.Network, RequestID: who.RequestID,
	}
}

// Load gives a stored request to the browser that started it. Errors:
// errs.NotFound for unknown, expired, answered ones and other browsers alike.
func (s *Service) Load(ctx context.Context, tenant, name string, who Visitor) (oauth.Pending, error) {
	p, err := s.Read.PendingByID(ctx, tenant, name)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return oauth.Pending{}, err
	}
	if err != nil || who.Browser == "" || !ids.Equal(p.Browser, who.Browser) || !p.Done.IsZero() || !s.Clock.Now().Before(p.Expires) {
		return oauth.Pending{}, errs.New(errs.NotFound, "request-not-found", "This request does not exist or has ended.")
	}
	return p, nil
}

// asked gives the request's scopes; they parsed when the request was stored.
func asked(p oauth.Pending) scope.Request {
	req, _ := scope.Parse(p.Request.Scope, scope.Limits{})
	return req
}

// RegisteredName gives the name of an app. Errors: errs.NotFound.
func (s *Service) RegisteredName(ctx context.Context, tenant, clientID string) (string, error) {
	if _, err := s.Read.ClientByID(ctx, tenant, clientID); err != nil {
		return "", err
	}
	return s.AppName(ctx, oauth.Pending{Tenant: tenant, Request: oauth.AuthorizeRequest{ClientID: clientID}}), nil
}

// AppName gives the name by which pages call the app of a request.
func (s *Service) AppName(ctx context.Context, p oauth.Pending) string {
	c, err := s.Read.ClientByID(ctx, p.Tenant, p.Request.ClientID)
	if err != nil || c.Name == "" {
		return p.Request.ClientID
	}
	return c.Name
}
