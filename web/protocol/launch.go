package protocol

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/web/problem"
)

// Launches registers launch contexts; oauth/flow is one.
type Launches interface {
	RegisterLaunch(ctx context.Context, r flow.LaunchRequest) (flow.LaunchTicket, error)
}

// maxLaunch is the greatest size of a launch registration in bytes.
const maxLaunch = 64 << 10

// LaunchBody is the JSON of a launch registration. The client authenticates
// with HTTP Basic, or with an assertion among the members.
type LaunchBody struct {
	ClientID            string             `json:"client_id,omitempty" jsonschema:"The app that will be opened."`
	User                string             `json:"user,omitempty" jsonschema:"FHIR reference of the user of the EHR, such as Practitioner/123."`
	Patient             string             `json:"patient,omitempty" jsonschema:"Id of the patient."`
	Encounter           string             `json:"encounter,omitempty" jsonschema:"Id of the encounter; wants patient."`
	Intent              string             `json:"intent,omitempty"`
	StyleURL            string             `json:"smart_style_url,omitempty"`
	NeedPatientBanner   *bool              `json:"need_patient_banner,omitempty"`
	FHIRContext         []oauth.ContextRef `json:"fhirContext,omitempty"`
	Task                json.RawMessage    `json:"task,omitempty" jsonschema:"FHIR Task that asks for the launch, in place of the members that it tells."`
	ClientAssertion     string             `json:"client_assertion,omitempty"`
	ClientAssertionType string             `json:"client_assertion_type,omitempty"`
}

// LaunchAnswer is the handle with which the app is opened.
type LaunchAnswer struct {
	Launch    string    `json:"launch" jsonschema:"The handle with which the app is opened, once."`
	LaunchURL string    `json:"launch_url,omitempty" jsonschema:"Where to open the app; left out for one without a launch URI."`
	Issuer    string    `json:"iss" jsonschema:"The FHIR base."`
	ExpiresAt time.Time `json:"expires_at"`
}

// RegisterLaunch takes a launch context from an authenticated EHR client and
// gives the handle with which it opens the app (SMART LAU-01, LAU-02).
func RegisterLaunch(d Deps, launches Launches, launchURL string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site, err := d.Site(r)
		if err != nil {
			d.Problem.JSON(w, r, err)
			return
		}
		var body LaunchBody
		if body, err = readLaunch(w, r); err != nil {
			d.Problem.JSON(w, r, err)
			return
		}
		form := url.Values{}
		if body.ClientAssertion != "" {
			form.Set("client_assertion", body.ClientAssertion)
			form.Set("client_assertion_type", body.ClientAssertionType)
		}
		network, _ := d.origin(r)
		who, err := d.Auth.Authenticate(r.Context(), clientauth.Request{
			Tenant: site.Tenant, Issuer: site.Issuer, Audiences: []string{launchURL, site.TokenURL, site.Issuer},
			Network: network, Authorization: r.Header.Values("Authorization"), Form: form, Certificate: d.certificate(r),
		})
		if err == nil {
			err = d.Engine.Spend(r.Context(), site.Tenant, who)
		}
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		d.register(w, r, launches, who.Client, body, site.FHIRBase)
	})
}

func (d Deps) register(w http.ResponseWriter, r *http.Request, launches Launches, ehr oauth.Client, b LaunchBody, base string) {
	network, requestID := d.origin(r)
	var user fhir.Reference
	if b.User != "" {
		ref, ok := fhir.ParseReference(b.User)
		if !ok {
			d.Problem.JSON(w, r, errs.New(errs.Invalid, "launch-context-malformed", "The member user of the launch context is not valid."))
			return
		}
		user = ref
	}
	t, err := launches.RegisterLaunch(r.Context(), flow.LaunchRequest{
		Tenant: ehr.Tenant, EHR: ehr, ClientID: b.ClientID, User: user, Network: network, RequestID: requestID, Task: b.Task,
		Context: oauth.Context{
			Patient: b.Patient, Encounter: b.Encounter, FHIRContext: b.FHIRContext, Intent: b.Intent,
			StyleURL: b.StyleURL, NeedPatientBanner: b.NeedPatientBanner,
		},
	})
	if err != nil {
		d.Problem.JSON(w, r, err)
		return
	}
	problem.NoStore(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(LaunchAnswer{Launch: t.Handle, LaunchURL: t.URL, Issuer: base, ExpiresAt: t.Expires})
}

// readLaunch reads the body strictly. Errors: errs.UnsupportedMedia,
// errs.TooLarge, errs.Invalid.
func readLaunch(w http.ResponseWriter, r *http.Request) (LaunchBody, error) {
	var body LaunchBody
	if err := strictjson.Media(r); err != nil {
		return body, err
	}
	raw, err := strictjson.Body(w, r, maxLaunch)
	if err != nil {
		return body, err
	}
	if err := strictjson.Read(raw, &body); err != nil {
		return body, errs.Wrap(err, errs.Invalid, "launch-malformed", "The body is not a launch registration in JSON.")
	}
	return body, nil
}
