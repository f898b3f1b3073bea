package flow

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// launchLife is how long a launch handle may be redeemed (SMART LAU-02).
const launchLife = 5 * time.Minute

// LaunchRequest is a launch context that an EHR registers for one app.
type LaunchRequest struct {
	Tenant string
	// EHR is the authenticated EHR client.
	EHR oauth.Client
	// ClientID names the app that will be launched.
	ClientID string
	// User is the EHR's user as a FHIR reference; zero when not told.
	User    fhir.Reference
	Context oauth.Context
	// Task is a FHIR Task that asks for the launch, nil for none (CTX-22).
	Task      []byte
	Network   string
	RequestID string
	// PersonID and Administrator name the operator who registers it in place of an
	// EHR: an account, or the client of a program; empty for an EHR itself.
	PersonID      string
	Administrator string
}

// endedByOperator stands where a redeemed launch names its flow: no flow is
// called so.
const endedByOperator = "ended-by-operator"

// LaunchTicket is what the EHR opens the app with.
type LaunchTicket struct {
	// Handle is the value of the launch parameter; it is told only here.
	Handle string
	// URL is the app's first registered launch URL with iss and launch
	// (LAU-01); empty when the app registered none.
	URL     string
	Expires time.Time
}

// RegisterLaunch stores a launch context and gives its single-use handle.
// Errors: errs.Forbidden when the client may not register launches,
// errs.Invalid naming the member at fault, errs.Unavailable.
func (s *Service) RegisterLaunch(ctx context.Context, r LaunchRequest) (LaunchTicket, error) {
	if !r.EHR.RegisterLaunch {
		return LaunchTicket{}, errs.New(errs.Forbidden, "launch-not-allowed", "This client may not register launch contexts.")
	}
	app, err := s.Read.ClientByID(ctx, r.Tenant, r.ClientID)
	if errs.Is(err, errs.NotFound) || (err == nil && app.Disabled) {
		return LaunchTicket{}, errs.New(errs.Invalid, "launch-client-unknown", "client_id names no registered app.")
	}
	if err != nil {
		return LaunchTicket{}, err
	}
	named := ""
	if len(r.Task) > 0 {
		if named, err = fromTask(r.Task, app, &r.Context); err != nil {
			return LaunchTicket{}, err
		}
	}
	if err := checkContext(r.Context, r.User); err != nil {
		return LaunchTicket{}, err
	}
	now := s.Clock.Now()
	t := LaunchTicket{Handle: s.Hasher.Secret(s.IDs), Expires: now.Add(launchLife)}
	l := oauth.Launch{
		Tenant: r.Tenant, Hash: s.Hasher.Hash("launch", t.Handle), EHRClient: r.EHR.ID, ClientID: app.ID,
		User: r.User, Aud: s.Base, Context: r.Context, Created: now, Expires: t.Expires,
	}
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		if err := tx.CreateLaunch(ctx, l); err != nil {
			return err
		}
		e := audit.Event{
			Tenant: r.Tenant, Time: now, Kind: audit.LaunchRegistered, Action: "C", Outcome: audit.Success, PersonID: r.PersonID,
			ClientID: r.EHR.ID, Patient: r.Context.Patient, Network: r.Network, RequestID: r.RequestID,
			Detail: map[string]string{"app": app.ID, "user": r.User.String()},
		}
		if r.Administrator != "" {
			e.Detail["administrator"] = r.Administrator
		}
		return tx.AppendAudit(ctx, e)
	})
	if err != nil {
		return LaunchTicket{}, err
	}
	if len(app.LaunchURIs) > 0 {
		t.URL = launchURL(cmp.Or(named, app.LaunchURIs[0]), s.Base, t.Handle)
	}
	return t, nil
}

// EndLaunch makes a launch context worthless before its app comes; id is the
// hash of its handle. Errors: errs.NotFound with code launch-not-found, errs.Conflict
// with code launch-used for one that was redeemed or ended; errs.Unavailable.
func (s *Service) EndLaunch(ctx context.Context, tenant, id string, origin audit.Event) error {
	l, err := s.Read.LaunchByHash(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.NotFound, "launch-not-found", "There is no such launch context; they run out within minutes.")
	}
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.Tx.InTx(ctx, func(tx Tx) error {
		ended, err := tx.UseLaunch(ctx, tenant, id, endedByOperator, now)
		if err != nil {
			return err
		}
		if !ended {
			return errs.New(errs.Conflict, "launch-used", "The app came with it already, or it was ended before.")
		}
		e := origin
		e.Tenant, e.Time, e.Kind, e.Action, e.Outcome, e.Reason = tenant, now, audit.LaunchEnded, "D", audit.Success, endedByOperator
		e.ClientID, e.Patient = l.EHRClient, l.Context.Patient
		return tx.AppendAudit(ctx, e)
	})
}

func launchURL(to, iss, handle string) string {
	u, err := url.Parse(to)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("iss", iss)
	q.Set("launch", handle)
	u.RawQuery = q.Encode()
	return u.String()
}

// webAddress reports whether an app may fetch the address: it is handed on to
// apps as it stands, and must not be a script.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// checkContext wants ids, references and addresses that mean something (CTX-01,
// CTX-05, CTX-07, CTX-08, CTX-12).
func checkContext(c oauth.Context, user fhir.Reference) error {
	bad := func(member string) error {
		return errs.New(errs.Invalid, "launch-context-malformed", "The member "+member+" of the launch context is not valid.")
	}
	if c.Patient != "" && !fhir.ValidID(c.Patient) {
		return bad("patient")
	}
	if c.Encounter != "" && (!fhir.ValidID(c.Encounter) || c.Patient == "") {
		return bad("encounter")
	}
	if !user.IsZero() && user.Type != "Patient" && user.Type != "Practitioner" && user.Type != "RelatedPerson" && user.Type != "PractitionerRole" && user.Type != "Person" {
		return bad("user")
	}
	if c.StyleURL != "" && !webAddress(c.StyleURL) {
		return bad("smart_style_url")
	}
	for _, item := range c.FHIRContext {
		ref, local := fhir.ParseReference(item.Reference)
		empty := item.Reference == "" && item.Canonical == "" && len(item.Identifier) == 0
		topLevel := (ref.Type == "Patient" || ref.Type == "Encounter") && (item.Role == "" || item.Role == "launch")
		if empty || (item.Reference != "" && !local) || topLevel {
			return bad("fhirContext")
		}
	}
	return nil
}
