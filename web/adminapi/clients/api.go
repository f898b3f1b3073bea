package clients

import (
	"context"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

// Deps is what the API works with.
type Deps struct {
	call.Desk
	Registry *registration.Desk
	// Flights has the last requests of each client; ErrorDocs is the URL of the
	// pages of cause codes.
	Flights   *flight.Recorder
	ErrorDocs string
}

// Client is a client as operators see it. Secret is there only when it was made.
type Client struct {
	registration.Entry
	Secret   string    `json:"client_secret,omitempty" jsonschema:"A new secret; it is shown this once."`
	Status   string    `json:"registration_status" jsonschema:"pending, approved or disabled."`
	Why      string    `json:"status_reason,omitempty" jsonschema:"Stable reason of the status."`
	By       string    `json:"registered_by,omitempty" jsonschema:"The way by which the client came."`
	Secrets  int       `json:"secrets_valid,omitempty" jsonschema:"How many secrets are valid: two during a rotation."`
	Created  time.Time `json:"created,omitzero"`
	Asked    time.Time `json:"asked,omitzero" jsonschema:"When registration was asked for."`
	Verified time.Time `json:"maker_verified,omitzero" jsonschema:"When the authenticity of its maker was verified."`
	Approved time.Time `json:"approved,omitzero"`
	Idle     time.Time `json:"idle_since,omitzero" jsonschema:"Since when it is marked as one that nobody uses."`
	// Clocks are those of REG-08.
	Clocks registration.Clocks `json:"clocks" jsonschema:"The clocks of approval, 5 and 10 business days (45 CFR 170.404(b)(1))."`
}

type (
	none = route.Empty
	// plain is a request that says nothing but the id of its path.
	plain = call.In[none, none]
	act   func(ctx context.Context, in *plain) (Client, error)
)

const (
	base   = "/admin/clients"
	client = base + "/{id}"
)

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	out := []route.Route{
		call.On(d.Desk, spec("GET", base, "listClients", "Lists the clients."), d.list),
		call.On(d.Desk, with(spec("POST", base, "registerClient", "Registers a client. A secret is made here and shown once."), created, tagged), d.register),
		call.On(d.Desk, with(spec("GET", client, "showClient", "Gives what is registered of a client."), tagged), d.show),
		call.On(d.Desk, with(spec("PUT", client, "replaceClient",
			"Replaces what is registered of a client. What it is asked for its security is kept."), tagged, matched), d.edit),
		call.On(d.Desk, spec("DELETE", client, "deleteClient", "Deletes a client for good. Its tokens die; its id is not given again."), d.remove),
		call.On(d.Desk, spec("GET", client+"/requests", "listClientRequests",
			"Gives the last requests of a client, newest first, with the cause of each refusal. It holds no health data."), d.requests),
		call.On(d.Desk, spec("GET", "/admin/registrations", "listWaitingClients", "Gives the queue of approvals with its clocks."), d.waiting),
		call.On(d.Desk, with(spec("POST", "/admin/registrations/invitations", "inviteClient",
			"Makes an initial access token, with which one client registers itself."), created), d.invite),
	}
	return append(out, d.acts()...)
}

// acts are the operations that need nothing but the client.
func (d Deps) acts() []route.Route {
	on := func(word, id, summary string, do act) route.Route {
		return call.On(d.Desk, spec("POST", client+"/"+word, id, summary), do)
	}
	one := func(do func(ctx context.Context, tenant, id string, by audit.Event) (oauth.Client, error)) act {
		return func(ctx context.Context, in *plain) (Client, error) {
			c, err := do(ctx, d.Tenant, in.ID, in.By)
			return d.view(c, ""), err
		}
	}
	return []route.Route{
		on("secret", "rotateClientSecret", "Gives a client a new secret beside the one before.", d.rotate),
		on("retire-secret", "retireClientSecret", "Makes all secrets but the newest invalid.", one(d.Registry.RetireSecret)),
		on("disable", "disableClient", "Stops a client: its tokens are dead, and it gets no more.",
			one(func(ctx context.Context, tenant, id string, by audit.Event) (oauth.Client, error) {
				return d.Registry.Disable(ctx, tenant, id, registration.ReasonDisabled, by)
			})),
		on("enable", "enableClient", "Lets a disabled client work again.", one(d.Registry.Enable)),
		on("verify-maker", "verifyClientMaker", "Records that the authenticity of the maker of a waiting client was verified.", one(d.Registry.VerifyMaker)),
		on("approve", "approveClient", "Lets a waiting client work.", one(d.Registry.Approve)),
		call.On(d.Desk, spec("POST", client+"/refuse", "refuseClient", "Refuses a waiting client and deletes it."), d.refuse),
	}
}

func spec(method, path, id, summary string) call.Spec {
	return call.Spec{Method: method, Path: path, ID: id, Summary: summary, Owner: "web/adminapi/clients", PHI: route.NoPHI}
}

func with(s call.Spec, more ...func(*call.Spec)) call.Spec {
	for _, set := range more {
		set(&s)
	}
	return s
}

func created(s *call.Spec) { s.Status = http.StatusCreated }
func tagged(s *call.Spec)  { s.Tag = true }
func matched(s *call.Spec) { s.Match = true }

func (d Deps) view(c oauth.Client, secret string) Client {
	return Client{
		Entry: registration.Of(c), Secret: secret, Status: registration.StatusOf(c), Why: c.Registration.Why, By: c.Registration.By,
		Secrets: len(c.SecretHashes), Created: c.Created, Asked: c.Registration.Asked, Verified: c.Verified,
		Approved: c.Registration.Approved, Idle: c.Registration.Idle, Clocks: d.Registry.Holidays.ClocksOf(c, d.Clock.Now()),
	}
}

// ClientList is clients, by id.
type ClientList struct {
	Clients []Client `json:"clients"`
}

func (d Deps) views(list []oauth.Client) []Client {
	out := []Client{}
	for _, c := range list {
		out = append(out, d.view(c, ""))
	}
	return out
}

func (d Deps) list(ctx context.Context, _ *plain) (ClientList, error) {
	list, err := d.Registry.List(ctx, d.Tenant)
	return ClientList{d.views(list)}, err
}

func (d Deps) register(ctx context.Context, in *call.In[none, registration.Entry]) (Client, error) {
	out, err := d.Registry.Register(ctx, d.Tenant, in.Body, in.By)
	if err == nil {
		in.Tag(registration.VersionOf(out.Client))
	}
	return d.view(out.Client, out.Secret), err
}

func (d Deps) show(ctx context.Context, in *plain) (Client, error) {
	c, err := d.Registry.One(ctx, d.Tenant, in.ID)
	if err == nil {
		in.Tag(registration.VersionOf(c))
	}
	return d.view(c, ""), err
}

func (d Deps) edit(ctx context.Context, in *call.In[none, registration.Entry]) (Client, error) {
	if in.Body.ID != in.ID {
		return Client{}, errs.New(errs.Invalid, "client-id-differs", "client_id must be that of the address.")
	}
	c, err := d.Registry.Edit(ctx, d.Tenant, registration.Editing{Entry: in.Body, IfVersion: in.Match, Origin: in.By})
	if err == nil {
		in.Tag(registration.VersionOf(c))
	}
	return d.view(c, ""), err
}

func (d Deps) rotate(ctx context.Context, in *plain) (Client, error) {
	out, err := d.Registry.RotateSecret(ctx, d.Tenant, in.ID, in.By)
	return d.view(out.Client, out.Secret), err
}

// Ended says that there is no such client any more.
type Ended struct {
	ID     string `json:"client_id"`
	Status string `json:"registration_status" jsonschema:"deleted."`
}

func (d Deps) remove(ctx context.Context, in *plain) (Ended, error) {
	return Ended{in.ID, "deleted"}, d.Registry.Delete(ctx, d.Tenant, in.ID, registration.ReasonDeleted, in.By)
}

func (d Deps) refuse(ctx context.Context, in *plain) (Ended, error) {
	return Ended{in.ID, "deleted"}, d.Registry.Refuse(ctx, d.Tenant, in.ID, in.By)
}

// Queue is the clients that wait, those first that have waited longest.
type Queue struct {
	Registrations []Client `json:"registrations"`
}

// waiting gives the queue of approvals with its clocks (REG-08).
func (d Deps) waiting(ctx context.Context, _ *plain) (Queue, error) {
	list, err := d.Registry.Waiting(ctx, d.Tenant)
	return Queue{d.views(list)}, err
}

type invitation struct {
	Days int `json:"days,omitempty" jsonschema:"How long it can be used, 1 to 30 days."`
}

// Invited is an initial access token.
type Invited struct {
	Token string    `json:"initial_access_token" jsonschema:"Good for one registration; it is shown this once."`
	Ends  time.Time `json:"expires_at"`
}

func (d Deps) invite(ctx context.Context, in *call.In[none, invitation]) (Invited, error) {
	token, ends, err := d.Registry.Invite(ctx, d.Tenant, time.Duration(in.Body.Days)*24*time.Hour, in.By)
	return Invited{token, ends}, err
}
