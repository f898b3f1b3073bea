package clients

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/route"
)

// Deps is what the API works with.
type Deps struct {
	Tenant  string
	Desk    *registration.Desk
	Problem *problem.Writer
	// Guard lets only operators through.
	Guard func(http.Handler) http.Handler
	// Actor gives the client that asks, "" for none.
	Actor  func(r *http.Request) string
	Origin func(r *http.Request) (network, requestID string)
	Clock  clock.Clock
}

// maxBody is the greatest size of a body in bytes.
const maxBody = 128 << 10

// view is a client as operators see it. Secret is there only when it was made.
type view struct {
	registration.Entry
	Secret   string    `json:"client_secret,omitempty"`
	Status   string    `json:"registration_status"`
	Why      string    `json:"status_reason,omitempty"`
	By       string    `json:"registered_by,omitempty"`
	Secrets  int       `json:"secrets_valid,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	Asked    time.Time `json:"asked,omitzero"`
	Verified time.Time `json:"maker_verified,omitzero"`
	Approved time.Time `json:"approved,omitzero"`
	// Idle is since when the client is marked as one that nobody uses.
	Idle   time.Time           `json:"idle_since,omitzero"`
	Clocks registration.Clocks `json:"clocks"`
}

type act func(r *http.Request, id string, by audit.Event) (any, error)

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	on := func(method, path string, status int, do act) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Bearer, Scopes: oauth.ScopeOfArea("clients"), PHI: route.NoPHI, Limit: "admin",
			Owner: "web/adminapi/clients", Handler: d.Guard(d.answer(status, do)),
		}
	}
	one := func(do func(ctx context.Context, tenant, id string, by audit.Event) (oauth.Client, error)) act {
		return func(r *http.Request, id string, by audit.Event) (any, error) {
			c, err := do(r.Context(), d.Tenant, id, by)
			return d.view(c, ""), err
		}
	}
	const client = "/admin/clients/{id}"
	return []route.Route{
		on("POST", "/admin/clients", http.StatusCreated, d.register),
		on("GET", client, http.StatusOK, d.show),
		on("PUT", client, http.StatusOK, d.edit),
		on("DELETE", client, http.StatusOK, d.end(func(ctx context.Context, id string, by audit.Event) error {
			return d.Desk.Delete(ctx, d.Tenant, id, registration.ReasonDeleted, by)
		})),
		on("POST", client+"/secret", http.StatusOK, d.rotate),
		on("POST", client+"/retire-secret", http.StatusOK, one(d.Desk.RetireSecret)),
		on("POST", client+"/disable", http.StatusOK, one(func(ctx context.Context, tenant, id string, by audit.Event) (oauth.Client, error) {
			return d.Desk.Disable(ctx, tenant, id, registration.ReasonDisabled, by)
		})),
		on("POST", client+"/enable", http.StatusOK, one(d.Desk.Enable)),
		on("POST", client+"/verify-maker", http.StatusOK, one(d.Desk.VerifyMaker)),
		on("POST", client+"/approve", http.StatusOK, one(d.Desk.Approve)),
		on("POST", client+"/refuse", http.StatusOK, d.end(func(ctx context.Context, id string, by audit.Event) error {
			return d.Desk.Refuse(ctx, d.Tenant, id, by)
		})),
		on("GET", "/admin/registrations", http.StatusOK, d.waiting),
		on("POST", "/admin/registrations/invitations", http.StatusCreated, d.invite),
	}
}

func (d Deps) answer(status int, do act) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		network, requestID := d.Origin(r)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		by := audit.Event{Network: network, RequestID: requestID}
		if id := d.Actor(r); id != "" {
			by.Detail = map[string]string{"administrator": id}
		}
		v, err := do(r, mux.Vars(r)["id"], by)
		if err != nil {
			d.Problem.JSON(w, r, err)
			return
		}
		problem.NoStore(w)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	})
}

func (d Deps) view(c oauth.Client, secret string) view {
	return view{
		Entry: registration.Of(c), Secret: secret, Status: registration.StatusOf(c), Why: c.Registration.Why, By: c.Registration.By,
		Secrets: len(c.SecretHashes), Created: c.Created, Asked: c.Registration.Asked, Verified: c.Verified,
		Approved: c.Registration.Approved, Idle: c.Registration.Idle, Clocks: d.Desk.Holidays.ClocksOf(c, d.Clock.Now()),
	}
}

// read reads an entry strictly: an operator should hear of a member that would
// have no effect.
func read(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return errs.Wrap(err, errs.Invalid, "client-malformed", "The body is not the JSON that is wanted here, or has a member that is not known.")
	}
	return nil
}

func (d Deps) register(r *http.Request, _ string, by audit.Event) (any, error) {
	var e registration.Entry
	if err := read(r, &e); err != nil {
		return nil, err
	}
	out, err := d.Desk.Register(r.Context(), d.Tenant, e, by)
	return d.view(out.Client, out.Secret), err
}

func (d Deps) show(r *http.Request, id string, _ audit.Event) (any, error) {
	c, err := d.Desk.One(r.Context(), d.Tenant, id)
	return d.view(c, ""), err
}

func (d Deps) edit(r *http.Request, id string, by audit.Event) (any, error) {
	var e registration.Entry
	if err := read(r, &e); err != nil {
		return nil, err
	}
	if e.ID != id {
		return nil, errs.New(errs.Invalid, "client-id-differs", "client_id must be that of the address.")
	}
	c, err := d.Desk.Edit(r.Context(), d.Tenant, e, by)
	return d.view(c, ""), err
}

func (d Deps) rotate(r *http.Request, id string, by audit.Event) (any, error) {
	out, err := d.Desk.RotateSecret(r.Context(), d.Tenant, id, by)
	return d.view(out.Client, out.Secret), err
}

// end answers an act after which there is no client.
func (d Deps) end(do func(ctx context.Context, id string, by audit.Event) error) act {
	return func(r *http.Request, id string, by audit.Event) (any, error) {
		return map[string]string{"client_id": id, "registration_status": "deleted"}, do(r.Context(), id, by)
	}
}

// waiting gives the queue of approvals with its clocks (REG-08).
func (d Deps) waiting(r *http.Request, _ string, _ audit.Event) (any, error) {
	list, err := d.Desk.Waiting(r.Context(), d.Tenant)
	out := []view{}
	for _, c := range list {
		out = append(out, d.view(c, ""))
	}
	return map[string]any{"registrations": out}, err
}

func (d Deps) invite(r *http.Request, _ string, by audit.Event) (any, error) {
	var body struct {
		Days int `json:"days"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	token, ends, err := d.Desk.Invite(r.Context(), d.Tenant, time.Duration(body.Days)*24*time.Hour, by)
	return map[string]any{"initial_access_token": token, "expires_at": ends}, err
}
