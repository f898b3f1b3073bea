package oauth

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

// Grant is what one person allowed one client for one patient in one acting
// capacity. Tokens state it; they never outlive it.
type Grant struct {
	Tenant   string
	ID       string
	PersonID string
	ClientID string
	Capacity fhir.Capacity
	Context  Context
	// Scopes is the granted scope string as told to the app, literal scope
	// texts separated by single spaces (D11).
	Scopes string
	// Topics are the sensitive topics (v3-ActCode codes, or "R" for
	// restricted data without a topic) that the person ticked; others are
	// hidden from the app.
	Topics []string
	// ConsentID and ConsentVersion name the FHIR Consent that records the
	// approval (D14); empty for a grant over many records.
	ConsentID      string
	ConsentVersion int
	// Consents are the proxy consents on which the grant rested when made.
	Consents []string
	// Offline is true when the person chose to keep access while away, Online
	// when refresh tokens end with the log-in session (SCP-20…22).
	Offline bool
	Online  bool
	// SessionHash is the log-in session in which the grant was made.
	SessionHash string
	AuthTime    time.Time
	AMR         []string
	ACR         string
	Created     time.Time
	// Ends is the last moment of the grant, bounded by the person's choice
	// and, for proxies, by the consents' valid-until.
	Ends time.Time
	// RenewFor is how far behind a refresh of an offline grant Ends lies (US-02),
	// to within a 128th; zero for a fixed end.
	RenewFor time.Duration
	// Revoked is when it was ended early, zero while it stands; Reason says
	// by what.
	Revoked time.Time
	Reason  string
	// Code hands a new grant to its app. It is stored with the grant and not read
	// with it; nil where there is none.
	Code *Code
}

// StoredScopes gives the limits for reading scope texts that Mandate wrote
// itself: a wildcard that a person narrowed is spelt out kind by kind and is
// longer than a request may be (SMART SCP-11, TOK-13).
func StoredScopes() scope.Limits { return scope.Limits{Length: 64 << 10, Count: 2000, Values: 256} }

// MaxTokenLife is how long an access token or id_token lives at most, and
// MaxGrantLife how long a refresh token does, and with it all else that is known
// by its hash. Keys that are retired stay for longer (SE-03).
const (
	MaxTokenLife = time.Hour
	MaxGrantLife = 366 * 24 * time.Hour
)

// TokenLife gives how long an access token of a capacity lives at most: five
// minutes for a proxy, whose right may end at any moment, and for a client that
// acts for itself (BKS-04, SC-14), an hour for others (SMART TOK-11). It is also
// how long access lasts when the person does not keep it.
func TokenLife(c fhir.Capacity) time.Duration {
	if c.IsProxy() || c.Kind == fhir.CapacitySystem {
		return 5 * time.Minute
	}
	return MaxTokenLife
}

// Redecision is what is left of a grant at one moment.
type Redecision struct {
	// Scopes is the scope string that may be told to the app now, at most the
	// granted.
	Scopes string
	// ValidUntil bounds every token; zero when nothing but the grant does.
	ValidUntil time.Time
	// GrantsEnd is when the first of the Consents ends on which a proxy's access
	// rests, whatever else bounds it; zero when none ends.
	GrantsEnd time.Time
	// Consents are the versions on which a proxy's access rests now, Policies the
	// policy URIs under which they were given.
	Consents, Policies []string
	// Explained says why a requested scope is not among Scopes as it was.
	Explained []access.Explanation
}

// GrantPage is a part of a list of grants, newest first.
type GrantPage struct {
	// LiveAt leaves out what was revoked or ended before; zero takes all.
	LiveAt time.Time
	// Before and BeforeID are the creation and the id of the last grant of the page
	// before; zero for the first page.
	Before   time.Time
	BeforeID string
	// Limit is how many at most.
	Limit int
}

// Live reports whether the grant stands at t.
func (g Grant) Live(t time.Time) bool { return g.Revoked.IsZero() && t.Before(g.Ends) }

// Record gives the patient whose record the grant is about: the one in launch
// context, or the one whom the capacity is bound to. "" for a grant over many
// records.
func (g Grant) Record() string { return RecordOf(g.Context, g.Capacity) }

// RecordOf gives the patient whose record a context and a capacity are about.
func RecordOf(c Context, capacity fhir.Capacity) string {
	if c.Patient != "" {
		return c.Patient
	}
	if capacity.Kind == fhir.CapacitySelf || capacity.IsProxy() {
		return capacity.Patient
	}
	return ""
}

// Basis lists the versioned Consents on which the grant rests: those that let a
// proxy act, and the one that records the approval of the app. Audit events
// name them as the authority of an act (AR-01, AU-01).
func (g Grant) Basis() []string {
	out := slices.Clone(g.Consents)
	if g.ConsentID != "" {
		out = append(out, "Consent/"+g.ConsentID+"/_history/"+strconv.Itoa(g.ConsentVersion))
	}
	return out
}

// Context is the launch context of a grant (SMART CTX-*): it belongs to the
// grant, never to the browser's session.
type Context struct {
	Patient           string       `json:"patient,omitempty"`
	Encounter         string       `json:"encounter,omitempty"`
	FHIRContext       []ContextRef `json:"fhirContext,omitempty"`
	Intent            string       `json:"intent,omitempty"`
	Tenant            string       `json:"tenant,omitempty"`
	StyleURL          string       `json:"smart_style_url,omitempty"`
	NeedPatientBanner *bool        `json:"need_patient_banner,omitempty"`
	// AppContext is what a Task hands to the app it wants launched (CTX-22), under
	// the name of CDS Hooks.
	AppContext string `json:"appContext,omitempty"`
}

// ContextRef is one item of fhirContext (SMART CTX-05).
type ContextRef struct {
	Reference  string          `json:"reference,omitempty"`
	Canonical  string          `json:"canonical,omitempty"`
	Identifier json.RawMessage `json:"identifier,omitempty"`
	Type       string          `json:"type,omitempty"`
	Role       string          `json:"role,omitempty"`
}

// Launch is a launch context registered by an EHR, waiting for its app. The
// handle given to the app is single use, short lived and bound to EHR client,
// user, app, FHIR base and patient (SMART LAU-02).
type Launch struct {
	Tenant string
	// Hash is the keyed hash of the handle.
	Hash      string
	EHRClient string
	ClientID  string
	// User is the FHIR identity of the user in the EHR, zero when not told.
	User    fhir.Reference
	Aud     string
	Context Context
	Created time.Time
	Expires time.Time
	// Used is when it was redeemed; Flow is the authorization request that
	// did so.
	Used time.Time
	Flow string
}

// Code is an authorization code, stored by its keyed hash.
type Code struct {
	Tenant  string
	Hash    string
	GrantID string
	// Named says that the code itself names its grant, in whose row it is then.
	Named       bool
	ClientID    string
	RedirectURI string
	// Challenge is the S256 code_challenge.
	Challenge string
	Nonce     string
	// Confirmation is the key that must redeem it, zero where any may (RFC 9449
	// §10).
	Confirmation Confirmation
	Issued       time.Time
	Expires      time.Time
	// Used is when it was redeemed, zero before.
	Used time.Time
}

// CodeRef is what a presented code says.
type CodeRef struct {
	Hash string
	// GrantID is the grant that it names, "" for one of an older form. Anybody can
	// make up a code that names one.
	GrantID string
}

// RefreshToken is one link of a rotating chain, known by its keyed hash. It
// names only its grant.
type RefreshToken struct {
	Tenant   string
	Hash     string
	GrantID  string
	ClientID string
	// Confirmation is the key of a public client to which it is bound, zero for
	// one that any holder may use (RFC 9449 §5).
	Confirmation Confirmation
	Issued       time.Time
	Expires      time.Time
	// Rotated is when its successor was given out, zero while it is newest.
	Rotated time.Time
	// Spent says that its successor was rotated too.
	Spent bool
}

// RefreshRef is what a presented refresh token says.
type RefreshRef struct {
	Hash string
	// GrantID is the grant that an authentic token names, "" for one of an older
	// form.
	GrantID string
	// Rotates says that whoever asks goes on to RotateRefresh, which finds out
	// whether the token is the newest: until then that may be taken for granted.
	Rotates bool
}

// Rotation puts the successor of a refresh token in its place.
type Rotation struct {
	Tenant   string
	GrantID  string
	ClientID string
	// From is the hash of the token that was presented, "" for the first of a
	// grant; To is that of the one given out. Named says that the token of To
	// names its grant.
	From, To string
	Named    bool
	At       time.Time
	// Expires is the end of the new token.
	Expires time.Time
	// Confirmation is what the tokens of a grant are bound to from the first on
	// (RFC 9449 §5). A rotation with another one is not the first, so that a
	// token which was believed without a look at the store is refused too.
	Confirmation Confirmation
}
