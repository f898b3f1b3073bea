package grant

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
)

// DeviceAnswer is the answer to a device that begins (RFC 8628 §3.2). Times are
// in seconds.
type DeviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Page       string `json:"verification_uri"`
	// Link leads to the page with the code filled in; a person still has to
	// compare it.
	Link     string `json:"verification_uri_complete"`
	Expires  int64  `json:"expires_in"`
	Interval int64  `json:"interval"`
}

// Device takes the request of a device (RFC 8628 §3.1) and commits it with its
// event. page is where people type the code. Errors: those of RFC 6749 §5.2;
// errs.Unavailable.
func (e *Endpoint) Device(ctx context.Context, call Call, page string) (DeviceAnswer, error) {
	a := &attempt{call: call, now: e.Clock.Now()}
	answer, err := e.device(ctx, a, page)
	if err != nil {
		return DeviceAnswer{}, e.refuse(ctx, a, engine.Writes{}, err)
	}
	return answer, nil
}

func (e *Endpoint) device(ctx context.Context, a *attempt, page string) (DeviceAnswer, error) {
	var err error
	if a.auth, err = e.Auth.Authenticate(ctx, a.call.auth()); err != nil {
		return DeviceAnswer{}, err
	}
	if !a.auth.Client.DeviceFlow {
		return DeviceAnswer{}, errUnauthorized()
	}
	text := a.call.Form.Get("scope")
	asked, err := scope.Parse(text, scope.Limits{})
	switch {
	case err != nil:
		return DeviceAnswer{}, err
	case len(asked.Texts) == 0:
		return DeviceAnswer{}, errs.New(errs.InvalidScope, "scope-missing", "scope is missing.")
	case len(asked.Others) == len(asked.Texts):
		return DeviceAnswer{}, errs.New(errs.InvalidScope, "scope-unknown", "None of the requested scopes is known.")
	}
	hasher, err := e.Engine.Ring.Hasher(ctx, a.call.Site.Tenant)
	if err != nil {
		return DeviceAnswer{}, err
	}
	code, user := hasher.Secret(e.Engine.IDs), oauth.NewUserCode(e.Engine.IDs)
	d := oauth.DeviceRequest{
		Tenant: a.call.Site.Tenant, Hash: oauth.DeviceHash(hasher, code), UserHash: oauth.UserCodeHashes(hasher, user, a.now)[0],
		ClientID: a.auth.Client.ID, Scope: text, Created: a.now, Expires: a.now.Add(oauth.DeviceLife), Interval: oauth.DevicePoll,
	}
	if err := e.begin(ctx, a, d); err != nil {
		return DeviceAnswer{}, err
	}
	shown := oauth.ShowUserCode(user)
	return DeviceAnswer{
		DeviceCode: code, UserCode: shown, Page: page, Link: page + "?user_code=" + shown,
		Expires: int64(oauth.DeviceLife / time.Second), Interval: int64(oauth.DevicePoll / time.Second),
	}, nil
}

// begin stores the request with its event. Two requests have one user code once
// in a great many years; the device is then told to try again.
func (e *Endpoint) begin(ctx context.Context, a *attempt, d oauth.DeviceRequest) error {
	event := a.event(audit.AuthorizeRequested, audit.Success, "")
	event.Detail = map[string]string{"flow": "device", "scope": d.Scope}
	err := e.Engine.Commit(ctx, engine.Writes{
		Assertion: a.auth.Assertion, Renewal: a.auth.Renewal, Also: func(ctx context.Context, tx oauth.Tx) error { return tx.CreateDevice(ctx, d) },
	}, event, a.now)
	if errs.Is(err, errs.Conflict) {
		return errs.Wrap(err, errs.Unavailable, "user-code-taken", "No code could be made at this moment; try again.")
	}
	return err
}
