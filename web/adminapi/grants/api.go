package grants

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

// Reader is what the API reads.
type Reader interface {
	GrantsOfPatient(ctx context.Context, tenant, patient string) ([]oauth.Grant, error)
	GrantsOfClient(ctx context.Context, tenant, clientID string, p oauth.GrantPage) ([]oauth.Grant, error)
	ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
	GrantByID(ctx context.Context, tenant, id string) (oauth.Grant, error)
}

// Deps is what the API works with.
type Deps struct {
	call.Desk
	Read        Reader
	Connections *oauth.Connections
}

// Grant is a grant as operators see it.
type Grant struct {
	ID        string    `json:"id"`
	ClientID  string    `json:"client_id"`
	PersonID  string    `json:"person_id" jsonschema:"The account that made it."`
	Capacity  string    `json:"capacity" jsonschema:"In which capacity: self, designated-proxy, personal-representative, practitioner or staff."`
	Acting    string    `json:"acting" jsonschema:"FHIR reference of who acts."`
	Patient   string    `json:"patient,omitempty" jsonschema:"Id of the patient; left out for a grant over many records."`
	Scopes    string    `json:"scope"`
	Topics    []string  `json:"topics,omitempty" jsonschema:"Sensitive topics that were ticked."`
	Consent   string    `json:"consent,omitempty" jsonschema:"Id of the Consent that records it."`
	Consents  []string  `json:"proxy_consents,omitempty" jsonschema:"Consents on which a proxy's grant rests."`
	Created   time.Time `json:"created"`
	Ends      time.Time `json:"ends"`
	Revoked   time.Time `json:"revoked,omitzero" jsonschema:"When it was ended early."`
	Reason    string    `json:"reason,omitempty" jsonschema:"By what it was ended."`
	IsOffline bool      `json:"offline" jsonschema:"Access while the person is away."`
}

func viewOf(g oauth.Grant) Grant {
	return Grant{
		ID: g.ID, ClientID: g.ClientID, PersonID: g.PersonID, Capacity: string(g.Capacity.Kind), Acting: g.Capacity.Acting.String(),
		Patient: g.Record(), Scopes: g.Scopes, Topics: g.Topics, Consent: g.ConsentID, Consents: g.Consents,
		Created: g.Created, Ends: g.Ends, Revoked: g.Revoked, Reason: g.Reason, IsOffline: g.Offline,
	}
}

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	spec := func(method, path, id, summary string) call.Spec {
		return call.Spec{Method: method, Path: path, ID: id, Summary: summary, Owner: "web/adminapi/grants", PHI: route.Identifiers}
	}
	return []route.Route{
		call.On(d.Desk, spec("GET", "/admin/grants", "listGrants", "Lists the grants on a patient's record, or those of a client, newest first."), d.list),
		call.On(d.Desk, spec("POST", "/admin/grants/{id}/revoke", "revokeGrant", "Ends a grant with its tokens and the Consent that records it."), d.revoke),
		call.On(d.Desk, spec("POST", "/admin/grants/revoke", "revokeClientGrants",
			"Ends all grants that people made to a client, with their tokens. What the client does for itself goes on."), d.revokeAll),
	}
}

type query struct {
	Patient string `json:"patient,omitempty" jsonschema:"Id of the patient: all grants on the record."`
	Client  string `json:"client_id,omitempty" jsonschema:"The client: its grants, up to 200 in an answer. Give this or patient."`
	Live    bool   `json:"live,omitempty" jsonschema:"With client_id: only grants that stand."`
	After   string `json:"after,omitempty" jsonschema:"With client_id: goes on behind the grant of this id, the last one of the answer before."`
}

// pageSize is how many grants of a client one answer holds.
const pageSize = 200

// GrantList is grants, newest first.
type GrantList struct {
	Grants []Grant `json:"grants"`
}

func (d Deps) list(ctx context.Context, in *call.In[query, route.Empty]) (GrantList, error) {
	list, err := d.find(ctx, in.Query)
	out := GrantList{Grants: []Grant{}}
	for _, g := range list {
		out.Grants = append(out.Grants, viewOf(g))
	}
	return out, err
}

func (d Deps) find(ctx context.Context, q query) ([]oauth.Grant, error) {
	switch {
	case q.Patient == "" && q.Client == "", q.Patient != "" && (q.Client != "" || q.Live || q.After != ""):
		return nil, errs.New(errs.Invalid, "grants-of-whom", "Name the patient (?patient=ID) or the client (?client_id=ID), one of them; live and after go with the client.")
	case q.Patient != "":
		return d.Read.GrantsOfPatient(ctx, d.Tenant, q.Patient)
	}
	page := oauth.GrantPage{Limit: pageSize}
	if q.Live {
		page.LiveAt = d.Clock.Now()
	}
	if q.After != "" {
		last, err := d.Read.GrantByID(ctx, d.Tenant, q.After)
		if err != nil {
			return nil, err
		}
		page.Before, page.BeforeID = last.Created, last.ID
	}
	return d.Read.GrantsOfClient(ctx, d.Tenant, q.Client, page)
}

type ending struct {
	Client string `json:"client_id"`
}

// Ended is how many grants came to their end.
type Ended struct {
	Client  string `json:"client_id"`
	Revoked int    `json:"revoked"`
}

// revokeAll ends what all people allowed a client.
func (d Deps) revokeAll(ctx context.Context, in *call.In[route.Empty, ending]) (Ended, error) {
	// A client that was deleted has grants still.
	if _, err := d.Read.ClientByID(ctx, d.Tenant, in.Body.Client); err != nil {
		return Ended{}, err
	}
	n, err := d.Connections.EndAll(ctx, d.Tenant, in.Body.Client, "ended-by-operator", in.By)
	return Ended{in.Body.Client, n}, err
}

// revoke ends a grant with its tokens and the Consent that recorded it.
func (d Deps) revoke(ctx context.Context, in *call.In[route.Empty, route.Empty]) (Grant, error) {
	g, err := d.Read.GrantByID(ctx, d.Tenant, in.ID)
	if err != nil {
		return Grant{}, err
	}
	if err := d.Connections.EndGrant(ctx, g, "ended-by-operator", in.By); err != nil {
		return Grant{}, err
	}
	g, err = d.Read.GrantByID(ctx, d.Tenant, g.ID)
	return viewOf(g), err
}
