package launches

import (
	"context"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

// Flow registers and ends launch contexts; oauth/flow is one.
type Flow interface {
	RegisterLaunch(ctx context.Context, r flow.LaunchRequest) (flow.LaunchTicket, error)
	EndLaunch(ctx context.Context, tenant, id string, origin audit.Event) error
}

// Deps is what the API works with.
type Deps struct {
	call.Desk
	Flow Flow
	Read interface {
		LaunchesUnder(ctx context.Context, tenant string, t time.Time, limit int) ([]oauth.Launch, error)
	}
	// FHIRBase is what the app is opened with as iss.
	FHIRBase string
}

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	spec := func(method, path, id, summary string) call.Spec {
		return call.Spec{Method: method, Path: path, ID: id, Summary: summary, Owner: "web/adminapi/launches", PHI: route.Identifiers}
	}
	create := spec("POST", "/admin/launches", "createLaunch", "Registers a launch context in place of an EHR. The handle works once, for five minutes.")
	create.Status = http.StatusCreated
	return []route.Route{
		call.On(d.Desk, create, d.register),
		call.On(d.Desk, spec("GET", "/admin/launches", "listLaunches", "Lists the launch contexts that have not run out, newest first, up to 200."), d.list),
		call.On(d.Desk, spec("DELETE", "/admin/launches/{id}", "endLaunch", "Makes a launch context worthless before its app comes."), d.end),
	}
}

// Context is what a launch tells its app.
type Context struct {
	ClientID          string             `json:"client_id" jsonschema:"The app that will be opened."`
	User              string             `json:"user,omitempty" jsonschema:"FHIR reference of the user of the EHR, such as Practitioner/123."`
	Patient           string             `json:"patient,omitempty" jsonschema:"Id of the patient."`
	Encounter         string             `json:"encounter,omitempty" jsonschema:"Id of the encounter; wants patient."`
	Intent            string             `json:"intent,omitempty"`
	StyleURL          string             `json:"smart_style_url,omitempty"`
	NeedPatientBanner *bool              `json:"need_patient_banner,omitempty"`
	FHIRContext       []oauth.ContextRef `json:"fhirContext,omitempty"`
}

// Ticket is a launch context that was registered.
type Ticket struct {
	Handle  string    `json:"launch" jsonschema:"The handle with which the app is opened; it is told this once."`
	URL     string    `json:"launch_url,omitempty" jsonschema:"Where to open the app; left out for one without a launch URI."`
	Issuer  string    `json:"iss" jsonschema:"The FHIR base."`
	Expires time.Time `json:"expires_at"`
}

func (d Deps) register(ctx context.Context, in *call.In[route.Empty, Context]) (Ticket, error) {
	c := in.Body
	user, ok := fhir.ParseReference(c.User)
	if c.User != "" && !ok {
		return Ticket{}, errs.New(errs.Invalid, "launch-context-malformed", "The member user of the launch context is not valid.")
	}
	by := in.By.Detail["administrator"]
	t, err := d.Flow.RegisterLaunch(ctx, flow.LaunchRequest{
		Tenant: d.Tenant, ClientID: c.ClientID, User: user, Network: in.By.Network, RequestID: in.By.RequestID, Administrator: by,
		// The scope of the token stands for the right that an EHR is given.
		EHR: oauth.Client{Tenant: d.Tenant, ID: by, RegisterLaunch: true},
		Context: oauth.Context{
			Patient: c.Patient, Encounter: c.Encounter, FHIRContext: c.FHIRContext, Intent: c.Intent,
			StyleURL: c.StyleURL, NeedPatientBanner: c.NeedPatientBanner,
		},
	})
	return Ticket{t.Handle, t.URL, d.FHIRBase, t.Expires}, err
}

// Launch is a launch context as operators see it. Its handle is never told
// again.
type Launch struct {
	ID string `json:"id"`
	Context
	EHR     string    `json:"ehr_client_id,omitempty" jsonschema:"Who registered it."`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires_at"`
	Used    time.Time `json:"used,omitzero" jsonschema:"When the app came with it, or when it was ended."`
}

// LaunchList is launch contexts, newest first.
type LaunchList struct {
	Launches []Launch `json:"launches"`
}

// listLimit is how many an answer holds.
const listLimit = 200

func (d Deps) list(ctx context.Context, _ *call.In[route.Empty, route.Empty]) (LaunchList, error) {
	list, err := d.Read.LaunchesUnder(ctx, d.Tenant, d.Clock.Now(), listLimit)
	out := LaunchList{Launches: []Launch{}}
	for _, l := range list {
		out.Launches = append(out.Launches, Launch{
			ID: l.Hash, EHR: l.EHRClient, Created: l.Created, Expires: l.Expires, Used: l.Used,
			Context: Context{
				ClientID: l.ClientID, User: l.User.String(), Patient: l.Context.Patient, Encounter: l.Context.Encounter, Intent: l.Context.Intent,
				StyleURL: l.Context.StyleURL, NeedPatientBanner: l.Context.NeedPatientBanner, FHIRContext: l.Context.FHIRContext,
			},
		})
	}
	return out, err
}

// LaunchEnded says that a launch context is worth nothing any more.
type LaunchEnded struct {
	ID    string `json:"id"`
	Ended bool   `json:"ended"`
}

func (d Deps) end(ctx context.Context, in *call.In[route.Empty, route.Empty]) (LaunchEnded, error) {
	return LaunchEnded{in.ID, true}, d.Flow.EndLaunch(ctx, d.Tenant, in.ID, in.By)
}
