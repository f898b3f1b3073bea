package audit

import (
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Kind names what happened. Kinds are stable: they are searched for, alerted
// on and mapped to BALP patterns.
type Kind string

// The kinds of event (B.3: AU-01…AU-22).
const (
	LoginSucceeded      Kind = "login.succeeded"
	LoginFailed         Kind = "login.failed"
	StepUpSucceeded     Kind = "stepup.succeeded"
	StepUpFailed        Kind = "stepup.failed"
	ApprovalAsked       Kind = "approval.asked"
	CodeSent            Kind = "code.sent"
	ApprovalAnswered    Kind = "approval.answered"
	CapacitySwitched    Kind = "capacity.switched"
	CallerChecked       Kind = "caller.checked"
	SharingAnswered     Kind = "sharing.answered"
	LoggedOut           Kind = "logout"
	AuthorizeRequested  Kind = "authorize.requested"
	AuthorizeRefused    Kind = "authorize.refused"
	AuthorizePushed     Kind = "authorize.pushed"
	DecisionPermit      Kind = "decision.permit"
	DecisionDeny        Kind = "decision.deny"
	LaunchRegistered    Kind = "launch.registered"
	LaunchUsed          Kind = "launch.used"
	LaunchRefused       Kind = "launch.refused"
	LaunchEnded         Kind = "launch.ended"
	GrantCreated        Kind = "grant.created"
	GrantRevoked        Kind = "grant.revoked"
	TokenIssued         Kind = "token.issued"
	TokenRefused        Kind = "token.refused"
	TokenRevoked        Kind = "token.revoked"
	TokenIntrospected   Kind = "token.introspected"
	TokenReplayed       Kind = "token.replayed"
	ConsentFiled        Kind = "consent.filed"
	ConsentWithdrawn    Kind = "consent.withdrawn"
	RelatedPersonSaved  Kind = "relatedperson.saved"
	MatterStep          Kind = "matter.step"
	ProxyStep           Kind = "proxy.step"
	ClientRegistered    Kind = "client.registered"
	ClientChanged       Kind = "client.changed"
	PersonSaved         Kind = "person.saved"
	FactorAdded         Kind = "factor.added"
	FactorChanged       Kind = "factor.changed"
	FactorRemoved       Kind = "factor.removed"
	MatchDecided        Kind = "match.decided"
	RecoveryStep        Kind = "recovery.step"
	BedsideStep         Kind = "bedside.step"
	FHIRRead            Kind = "fhir.read"
	FHIRSearch          Kind = "fhir.search"
	FHIRWrite           Kind = "fhir.write"
	FHIRRefused         Kind = "fhir.refused"
	FHIROperation       Kind = "fhir.operation"
	RecordCopied        Kind = "record.copied" // its id is the watermark (AU-13)
	AuditRead           Kind = "audit.read"
	AuditErased         Kind = "audit.erased"
	AuditHeld           Kind = "audit.held"
	AuditReleased       Kind = "audit.released"
	AuditExported       Kind = "audit.exported"
	AuditAlert          Kind = "audit.alert"
	KeyChanged          Kind = "key.changed"
	ConfigurationLoaded Kind = "configuration.loaded"
	TenantChanged       Kind = "tenant.changed"
	BrandChanged        Kind = "brand.changed"
	BackupMade          Kind = "backup.made"
	StoreRestored       Kind = "store.restored"
	JournalPruned       Kind = "journal.pruned"
	OperatorChanged     Kind = "operator.changed"
	OperatorActed       Kind = "operator.acted"
)

// Outcome is the FHIR audit-event-outcome code.
type Outcome string

// The outcomes.
const (
	Success        Outcome = "0"
	MinorFailure   Outcome = "4"
	SeriousFailure Outcome = "8"
)

// Event is one entry of the audit log: who, when, to whom, which patient,
// what, why, from where, on what authority (AR-01). It holds identifiers
// only: no names, no resource bodies, no tokens or secrets (AR-05).
type Event struct {
	// ID is unique within the tenant (32 hexadecimal digits); set by the
	// store when empty.
	ID string
	// Tenant owns the event.
	Tenant string
	// Time is when it happened, UTC, microseconds.
	Time time.Time
	Kind Kind
	// Action is the FHIR audit-event-action: C, R, U, D or E.
	Action  string
	Outcome Outcome
	// Reason is the stable cause or decision code, empty on plain success.
	Reason string

	// PersonID is the account that acted, empty for a client on its own.
	PersonID string
	// Capacity is the acting capacity: its Acting is the delegate, its
	// Patient the delegator when it is a proxy (AU-11).
	Capacity fhir.Capacity
	ClientID string
	// SessionID is the hash under which the log-in session is stored.
	SessionID string

	// Patient is the logical id of the patient whose record was touched.
	Patient string
	// Resource is the resource read or changed, with its version when known.
	Resource        fhir.Reference
	ResourceVersion string
	// Query is a search with free-text values blanked.
	Query string
	// Delivered lists the references that left in the answer (access
	// report), at most 1,000; Count is their full number.
	Delivered []string
	Count     int

	// GrantID and Consents say on what authority: Consents are versioned
	// references "Consent/x/_history/n".
	GrantID  string
	Consents []string
	// TokenID is the jti, never the token.
	TokenID string

	// Network is the client's address as seen behind trusted proxies.
	Network string
	// RequestID joins all events of one request (AR-02).
	RequestID string
	// Detail holds further identifiers by name, stored encrypted.
	Detail map[string]string
}

// Purpose gives the v3-ActReason code under which the act took place.
func (e Event) Purpose() string { return e.Capacity.Purpose }
