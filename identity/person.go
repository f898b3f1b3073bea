package identity

import (
	"slices"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Role is what an account is for. A person who is both a patient and a proxy
// has one account; its capacities come from its identities.
type Role string

// The roles of accounts.
const (
	RolePatient   Role = "patient"
	RoleProxy     Role = "proxy"
	RoleClinician Role = "clinician"
	RoleAdmin     Role = "admin"
	// RoleStaff has no duties: a directory made the account, and no group of it
	// gives it a role yet. Such an account is kept disabled.
	RoleStaff Role = "staff"
)

// NeedsSecondFactor reports whether a password alone is too little for an
// account of this role: it suffices patients, never staff and proxies.
func (r Role) NeedsSecondFactor() bool { return r != RolePatient }

// Staff reports whether the role works for the organisation.
func (r Role) Staff() bool { return r == RoleClinician || r == RoleAdmin }

// Person is one human's account: the sub of every token, whichever capacity
// it acts in.
type Person struct {
	Tenant string
	// ID is the stable subject identifier.
	ID       string
	Username string
	// Name is how pages and banners call the person.
	Name string
	Role Role
	// Language is a BCP 47 tag, empty when never chosen.
	Language string
	// HighRisk people (known to many, in fear of somebody, with power over others'
	// records) need keys that stay on their device.
	HighRisk bool
	// Look is how pages are to look, as web/pages reads it; empty for the common one.
	Look string
	// Travels is until when log-ins from other countries are to be expected, UTC.
	Travels time.Time
	// Disabled accounts cannot sign in and their grants are refused.
	Disabled   bool
	Identities []Identity
	Created    time.Time
}

// Identity links an account to one FHIR resource that stands for the same
// human: the own Patient, a RelatedPerson per patient acted for, a
// Practitioner.
type Identity struct {
	Resource fhir.Reference `json:"resource"`
	// Patient is the logical id of the patient for Patient and RelatedPerson
	// resources; empty for a Practitioner.
	Patient string `json:"patient,omitempty"`
	// Verified is false until the link was proofed; unverified links give no
	// capacity.
	Verified bool `json:"verified"`
}

// FactorKind names a kind of authentication factor.
type FactorKind string

// The kinds of factor.
const (
	FactorPassword FactorKind = "password"
	FactorTOTP     FactorKind = "totp"
	FactorPasskey  FactorKind = "passkey"
	// FactorRecovery is a set of recovery codes, each of which works once.
	FactorRecovery FactorKind = "recovery"
	// FactorUpstream is a subject of another identity provider that may sign in as
	// the account; Secret names the provider.
	FactorUpstream FactorKind = "upstream"
	// FactorDirectory marks an account whose password a directory of the organisation
	// keeps: it has none here.
	FactorDirectory FactorKind = "directory"
)

// Second reports whether a factor of this kind completes a log-in that began with
// a password.
func (k FactorKind) Second() bool { return k == FactorTOTP || k == FactorPasskey }

// Managed reports whether people rename and remove factors of this kind one by one.
func (k FactorKind) Managed() bool { return k.Second() || k == FactorUpstream || k.Restricted() }

// Factor is one enrolled authenticator. Secret is a password hash or a shared
// secret; it is stored encrypted.
type Factor struct {
	Tenant   string
	ID       string
	PersonID string
	Kind     FactorKind
	Secret   []byte
	// Counter is the last accepted time step of a TOTP, so that a code works
	// once, and the signature counter of a passkey.
	Counter int64
	Created time.Time
	// Name is what the person calls it; it may be empty.
	Name string
	// Used is when it was last used, zero for never; it is kept for passkeys.
	Used time.Time
	// BackedUp says that copies of a passkey exist at its provider now.
	BackedUp bool
	// Locked is why it may not be used any more, empty while it may.
	Locked string
}

// Session is one log-in of one browser.
type Session struct {
	Tenant string
	// Hash is the keyed hash of the cookie value; the value is never stored.
	Hash     string
	PersonID string
	// AuthTime is when the person last proved themself, UTC.
	AuthTime time.Time
	// AMR lists the methods used (RFC 8176): pwd, otp, …; it stays empty until
	// the log-in is finished, so that a password alone proves nothing where a
	// second factor is due.
	AMR []string
	// Language is the language chosen for this session, a BCP 47 tag.
	Language string
	Created  time.Time
	LastSeen time.Time
	// Ends is the absolute end; IdleEnds moves with use.
	Ends     time.Time
	IdleEnds time.Time
	// Ended is when it was signed out, zero while it lives.
	Ended time.Time
	// Replaced is when a step-up gave the session another row and secret, zero while
	// this one serves; Family is the hash of its first row, empty before.
	Replaced time.Time
	Family   string
	// Browser is the keyed hash of the secret that the browser of the log-in keeps
	// beside the cookie; empty binds to none.
	Browser string
	// Device is the keyed hash by which the device is known again; empty on a shared
	// one and before the log-in is finished.
	Device string
	// Shared says that other people use the device.
	Shared bool
	// Agent is what the browser calls itself, as "browser/system"; Network is the
	// prefix of the address of the log-in.
	Agent, Network string
	// Acting is the id of the RelatedPerson as whom the person acts on pages,
	// empty for themself. It opens nothing: what may be done is decided anew.
	Acting string
}

// Device is a browser on which a person finished a log-in.
type Device struct {
	Tenant, PersonID string
	// Hash is the keyed hash of its cookie.
	Hash string
	// Agent and Network are those of the last log-in.
	Agent, Network string
	Created        time.Time
	LastSeen       time.Time
}

// DeviceClass says what a session's device is to the person.
type DeviceClass string

// The classes of devices.
const (
	DeviceKnown  DeviceClass = "known"
	DeviceNew    DeviceClass = "new"
	DeviceShared DeviceClass = "shared"
)

// Class gives the class of the session's device.
func (s Session) Class() DeviceClass {
	switch {
	case s.Shared:
		return DeviceShared
	case s.Device != "":
		return DeviceKnown
	}
	return DeviceNew
}

// Level is the authentication assurance reached.
type Level string

// The levels, as acr values.
const (
	AAL1 Level = "urn:mandate:aal:1"
	AAL2 Level = "urn:mandate:aal:2"
	// AAL3 is AAL2 by a key that stays on its device, used by a person whom the device
	// verified (NIST SP 800-63B-4 §2.3).
	AAL3 Level = "urn:mandate:aal:3"
)

// Levels gives the levels, the weakest first.
func Levels() []Level { return []Level{AAL1, AAL2, AAL3} }

// Reaches reports whether the level is at least the one wanted; "" wants
// nothing. The texts sort as the levels do.
func (l Level) Reaches(want Level) bool { return want == "" || l >= want }

// Level gives the assurance level of the session: AAL3 with a passkey that cannot
// leave its device, AAL2 with two factors, "" while the log-in waits for its second
// factor. A code that was sent is never told as a second factor.
func (s Session) Level() Level {
	switch {
	case len(s.AMR) == 0:
		return ""
	case slices.Contains(s.AMR, methodPossession):
		return AAL3
	case len(s.AMR) == 1, s.BySentCode():
		return AAL1
	}
	return AAL2
}

// BySentCode reports whether the log-in was finished by a code that was sent: its person
// has a better factor, and did not use it.
func (s Session) BySentCode() bool { return slices.ContainsFunc(s.AMR, restrictedMethod) }

// Live reports whether the session may be used at t.
func (s Session) Live(t time.Time) bool {
	return s.Ended.IsZero() && s.Replaced.IsZero() && t.Before(s.Ends) && t.Before(s.IdleEnds)
}
