package flow

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// PushedPrefix begins a request_uri that this server gave out (RFC 9126 §2.2).
const PushedPrefix = "urn:ietf:params:oauth:request_uri:"

// Requests reads authorization requests that are under way or pushed.
type Requests interface {
	PendingByID(ctx context.Context, tenant, name string) (oauth.Pending, error)
	CarryPending(ctx context.Context, p oauth.Pending) (string, error)
	PushedByHash(ctx context.Context, tenant, hash string) (oauth.Pushed, error)
}

// entry is an authorization request that passed every check of its parameters,
// whichever way it came.
type entry struct {
	client oauth.Client
	req    oauth.AuthorizeRequest
	// pushed is the keyed hash of the request_uri by which the browser named it.
	pushed string
}

// enter reads an authorization request: by its parameters, or by the
// request_uri of one that was pushed before. Errors: *Refusal with the client's
// id in the entry as far as it is known.
func (s *Service) enter(ctx context.Context, tenant string, v url.Values, now time.Time) (entry, *Refusal) {
	if strings.HasPrefix(v.Get("request_uri"), PushedPrefix) {
		return s.redeem(ctx, tenant, v, now)
	}
	e, toApp, err := s.judge(ctx, tenant, v)
	if err == nil && (s.RequirePushed || e.client.RequirePushed) {
		err = errNotPushed
	}
	if err != nil {
		toApp.Err = errs.As(err)
		return e, &toApp
	}
	return e, nil
}

// judge checks the parameters of an authorization request. The Refusal tells
// where an error may be sent: nowhere before the redirect URI is known to be
// the client's.
func (s *Service) judge(ctx context.Context, tenant string, v url.Values) (e entry, toApp Refusal, err error) {
	if v.Get("request_uri") != "" && v.Get("redirect_uri") == "" {
		return e, toApp, errForeignURI
	}
	signed := v.Get("request") != ""
	if signed {
		e.client.ID = single(v["client_id"])
		if v, err = s.unfold(ctx, tenant, v); err != nil {
			return e, toApp, err
		}
	}
	clientID, redirectURI, err := ParseAddressee(v)
	if err != nil {
		return e, toApp, err
	}
	e.client.ID = clientID
	client, err := s.addressee(ctx, tenant, clientID, redirectURI)
	if err != nil {
		return e, toApp, err
	}
	e.client = client
	toApp = Refusal{RedirectURI: redirectURI, State: single(v["state"])}
	if client.RequireSigned && !signed {
		return e, toApp, errNotSigned
	}
	var handle string
	if e.req, handle, err = ParseAuthorize(v, s.Base, s.OtherBases...); err != nil {
		if errs.Is(err, errs.InvalidScope) {
			toApp.Asked = e.req.Scope
		}
		return e, toApp, err
	}
	if err := s.provider(ctx, &e.req, client); err != nil {
		return e, toApp, err
	}
	defaults(&e.req, client)
	if handle != "" {
		e.req.Launch = s.Hasher.Hash("launch", handle)
	}
	return e, toApp, nil
}

// unfold verifies a request object and gives its parameters. Nothing beside it
// counts but client_id, which must be the same (RFC 9101 §5, §6.3).
func (s *Service) unfold(ctx context.Context, tenant string, v url.Values) (url.Values, error) {
	if len(v["request"]) > 1 || v.Has("request_uri") {
		return nil, errs.New(errs.InvalidRequest, "request-object-repeated", "A request has one request object, or one request_uri, and not both.")
	}
	id := single(v["client_id"])
	if id == "" {
		return nil, errs.New(errs.InvalidRequest, "parameter-missing-or-repeated", "Exactly one client_id is needed beside the request object.")
	}
	client, err := s.client(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	return s.Objects.RequestObject(ctx, client, v.Get("request"), s.IssuerURL)
}

var (
	errForeignURI = errs.New(errs.RequestURINotSupported, "request-uri-foreign",
		"A request_uri that leads to another server is not fetched; push the request, or send the request object itself.")
	errNotSigned = errs.New(errs.InvalidRequest, "request-object-missing", "This client must send its authorization request as a signed request object.")
	errNotPushed = errs.New(errs.InvalidRequest, "request-not-pushed",
		"This authorization request must be sent to the pushed authorization request endpoint first; the browser then carries its request_uri.")
	errPushedUnknown = errs.New(errs.InvalidRequest, "request-uri-unknown", "The request_uri is not known, or it was given to another client.")
	errPushedUsed    = errs.New(errs.InvalidRequest, "request-uri-used", "The request_uri was used before; each serves once.")
	errPushedExpired = errs.New(errs.InvalidRequest, "request-uri-expired", "The request_uri has expired; the app must push its request again.")
)

// redeem finds a pushed request. What the browser sends beside client_id and
// request_uri counts for nothing (RFC 9126 §4). A request_uri that does not
// serve ends on a page: without its request there is no address that is known
// to be the app's.
func (s *Service) redeem(ctx context.Context, tenant string, v url.Values, now time.Time) (entry, *Refusal) {
	page := func(id string, err error) (entry, *Refusal) {
		return entry{client: oauth.Client{ID: id}}, &Refusal{Err: errs.As(err)}
	}
	for _, name := range []string{"client_id", "request_uri"} {
		if single(v[name]) == "" {
			return page("", errs.New(errs.InvalidRequest, "parameter-missing-or-repeated", "Exactly one "+name+" is needed."))
		}
	}
	id := v.Get("client_id")
	hash := s.Hasher.Hash("request-uri", strings.TrimPrefix(v.Get("request_uri"), PushedPrefix))
	p, err := s.Read.PushedByHash(ctx, tenant, hash)
	switch {
	case errs.Is(err, errs.NotFound) || err == nil && p.ClientID != id:
		return page(id, errPushedUnknown)
	case err != nil:
		return page(id, err)
	case !p.Used.IsZero():
		return page(id, errPushedUsed)
	case !now.Before(p.Expires):
		return page(id, errPushedExpired)
	}
	client, err := s.addressee(ctx, tenant, id, p.Request.RedirectURI)
	if err != nil {
		return page(id, err)
	}
	return entry{client: client, req: p.Request, pushed: hash}, nil
}
