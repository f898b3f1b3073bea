package oauth

import (
	"cmp"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// AuthorizeRequest is an authorization request that passed every check of its
// parameters (SMART AZ-01…AZ-14).
type AuthorizeRequest struct {
	ClientID    string `json:"client_id"`
	RedirectURI string `json:"redirect_uri"`
	Scope       string `json:"scope"`
	State       string `json:"state"`
	Aud         string `json:"aud"`
	Challenge   string `json:"code_challenge"`
	Nonce       string `json:"nonce,omitempty"`
	// JKT is the thumbprint of the key that must redeem the code, empty where any
	// may (RFC 9449 §10).
	JKT string `json:"dpop_jkt,omitempty"`
	// Launch is the keyed hash of the EHR launch handle, empty for standalone.
	Launch    string   `json:"launch,omitempty"`
	Prompt    []string `json:"prompt,omitempty"`
	LoginHint string   `json:"login_hint,omitempty"`
	// MaxAge is the greatest age of the log-in in seconds; negative when not
	// asked.
	MaxAge int64    `json:"max_age"`
	ACR    []string `json:"acr_values,omitempty"`
	// IDP is the identity provider at which the person logs in, empty where that
	// is here (UDP-32).
	IDP string `json:"idp,omitempty"`
	// Device is set for the request of a device.
	Device DeviceRef `json:"device,omitzero"`
}

// DeviceRef names the request of a device (RFC 8628).
type DeviceRef struct {
	// Hash is that of the device code, Code what its screen shows.
	Hash string `json:"hash"`
	Code string `json:"code"`
}

// Pending is an authorization request on its way through the steps of
// oauth/flow. It belongs to one browser.
type Pending struct {
	Tenant string
	ID     string
	// Browser is the keyed hash of the secret in the browser's flow cookie.
	Browser string
	Request AuthorizeRequest
	// Context is the launch context so far: redeemed from an EHR launch or
	// chosen by the person.
	Context Context
	// LaunchUser is the EHR's user of an EHR launch.
	LaunchUser fhir.Reference
	// SessionHash and PersonID are set by the log-in step.
	SessionHash string
	PersonID    string
	// Capacity is set by the patient step.
	Capacity fhir.Capacity
	Created  time.Time
	Expires  time.Time
	// Done is when it was answered, zero before.
	Done time.Time
	// Carried is the whole request, sealed, behind its ID: the name of one that
	// the browser carries and no store has yet. Empty for a stored one.
	Carried string
}

// Name is by what PendingByID and FinishPending know the request.
func (p Pending) Name() string { return cmp.Or(p.Carried, p.ID) }
