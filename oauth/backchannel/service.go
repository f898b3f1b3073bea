package backchannel

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/oauth"
)

// Queue is the queue of jobs that each tell one app.
const Queue = "backchannel-logout"

// Reader is what the package reads and writes.
type Reader interface {
	// SessionByHash gives a session, live or not. Errors: errs.NotFound.
	SessionByHash(ctx context.Context, tenant, hash string) (identity.Session, error)
	// GrantsOfPerson gives the grants a person made.
	GrantsOfPerson(ctx context.Context, tenant, personID string) ([]oauth.Grant, error)
	// ClientByID gives a client. Errors: errs.NotFound.
	ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
	// AddJob leaves work to be done.
	AddJob(ctx context.Context, j jobs.Job, wait time.Duration) error
}

// Leaving is the end of one session, for one app.
type Leaving struct {
	ClientID string `json:"client_id"`
	// Subject is who signed out, SessionID the sid of their id_tokens.
	Subject   string `json:"sub"`
	SessionID string `json:"sid"`
}

// Service tells apps. It is safe for concurrent use.
type Service struct {
	Read Reader
	// Sign makes the logout token of an app; id is the same whenever it is made
	// again.
	Sign func(ctx context.Context, tenant string, c oauth.Client, l Leaving, id string) (string, error)
	// Client connects to public addresses only.
	Client *http.Client
}

// Ended finds out who is to be told of the end of a session. Done twice, apps are
// told twice. Errors: errs.Unavailable.
func (s *Service) Ended(ctx context.Context, j jobs.Job) error {
	session, err := s.Read.SessionByHash(ctx, j.Tenant, j.Body)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	grants, err := s.Read.GrantsOfPerson(ctx, j.Tenant, session.PersonID)
	if err != nil {
		return err
	}
	var told []string
	for _, g := range grants {
		if g.SessionHash != session.Hash || slices.Contains(told, g.ClientID) {
			continue
		}
		told = append(told, g.ClientID)
		if err := s.leave(ctx, j.Tenant, Leaving{g.ClientID, g.PersonID, oauth.SessionID(g.SessionHash)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) leave(ctx context.Context, tenant string, l Leaving) error {
	c, err := s.Read.ClientByID(ctx, tenant, l.ClientID)
	if errs.Is(err, errs.NotFound) || err == nil && (c.Disabled || c.BackchannelLogoutURI == "") {
		return nil
	}
	if err != nil {
		return err
	}
	body, err := json.Marshal(l)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "logout-encoding", "The log-out has no JSON form.")
	}
	return s.Read.AddJob(ctx, jobs.Job{Tenant: tenant, Queue: Queue, Body: string(body)}, 0)
}

// Tell posts one logout token. Errors: errs.Invalid for what can never be told;
// errs.Upstream while the app does not say that it heard; errs.Unavailable.
func (s *Service) Tell(ctx context.Context, j jobs.Job) error {
	var l Leaving
	if err := json.Unmarshal([]byte(j.Body), &l); err != nil {
		return errs.Wrap(err, errs.Invalid, "logout-encoding", "The log-out cannot be read.")
	}
	c, err := s.Read.ClientByID(ctx, j.Tenant, l.ClientID)
	if errs.Is(err, errs.NotFound) || err == nil && (c.Disabled || c.BackchannelLogoutURI == "") {
		return nil
	}
	if err != nil {
		return err
	}
	token, err := s.Sign(ctx, j.Tenant, c, l, j.ID)
	if err != nil {
		return err
	}
	form := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackchannelLogoutURI, form)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "logout-address", "The address of the app cannot be used.")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := s.Client.Do(req)
	if err != nil {
		return errs.Wrap(err, errs.Upstream, "logout-unreachable", "The app cannot be reached.")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		return errs.New(errs.Upstream, "logout-refused", "The app answers "+strconv.Itoa(res.StatusCode)+".")
	}
	return nil
}
