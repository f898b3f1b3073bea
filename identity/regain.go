package identity

import (
	"context"
	"slices"
	"time"
)

// ProofKind is a way to prove oneself to get back into an account.
type ProofKind string

// The kinds of proof. Nothing that people know about a patient is one (NI-10).
const (
	ProofPassword ProofKind = "password"
	// ProofApp is a code of an authenticator app.
	ProofApp      ProofKind = "app"
	ProofPasskey  ProofKind = "passkey"
	ProofRecovery ProofKind = "recovery"
	// ProofContact is a code sent to an address that the record has of the person.
	ProofContact ProofKind = "contact"
	// ProofStaff is staff who checked in person or called back.
	ProofStaff ProofKind = "staff"
)

// RecoveryProof is one proof that was given.
type RecoveryProof struct {
	Kind ProofKind `json:"kind"`
	// Factor is the authenticator that gave it, empty for none.
	Factor string    `json:"factor,omitempty"`
	At     time.Time `json:"at"`
	// By is who of the staff checked, How in which way, Documents what was seen.
	By        string   `json:"by,omitempty"`
	How       string   `json:"how,omitempty"`
	Documents []string `json:"documents,omitempty"`
}

// RecoveryState is where a recovery stands.
type RecoveryState string

// The states of a recovery.
const (
	// RecoveryProving: a second proof is missing.
	RecoveryProving RecoveryState = "proving"
	// RecoveryWaiting: for its time, for reviews, or for the new password.
	RecoveryWaiting RecoveryState = "waiting"
	RecoveryDone    RecoveryState = "done"
	// RecoveryEnrolling: no way back but the first way in, which a link opens. It is
	// over as soon as the account has an authenticator.
	RecoveryEnrolling RecoveryState = "enrolling"
	// RecoveryStopped: by the link that went to all contacts.
	RecoveryStopped RecoveryState = "stopped"
	// RecoveryRefused: by a reviewer.
	RecoveryRefused RecoveryState = "refused"
)

// RecoveryReview is the word of one reviewer.
type RecoveryReview struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// Recovery is one way back into an account, begun with a first good proof.
type Recovery struct {
	Tenant  string `json:"-"`
	ID      string `json:"-"`
	Version int    `json:"-"`
	// Elsewhere says that a directory keeps the password of the account: there is none
	// to choose.
	Elsewhere bool `json:"-"`
	// Hash is the keyed hash of the secret that the browser keeps.
	Hash     string        `json:"-"`
	PersonID string        `json:"-"`
	State    RecoveryState `json:"-"`
	// Ends is when nothing can be done with it any more.
	Ends time.Time `json:"-"`

	Created time.Time       `json:"created"`
	Proofs  []RecoveryProof `json:"proofs"`
	// Ready is before when it cannot be finished; Needs how many reviews it wants.
	Ready   time.Time        `json:"ready,omitzero"`
	Needs   int              `json:"needs,omitempty"`
	Reviews []RecoveryReview `json:"reviews,omitempty"`
	// Strange says that the browser was not known, Helped that it is known as that of
	// somebody who helps with the person's record.
	Strange bool `json:"strange,omitempty"`
	Helped  bool `json:"helped,omitempty"`
}

// The figures of recovery (SM-20, SM-22).
const (
	recoveryProving = 24 * time.Hour
	recoveryOpen    = 7 * 24 * time.Hour
	// RecoveryWait is how long a risky recovery waits for somebody to stop it.
	RecoveryWait = 24 * time.Hour
	fourEyes     = 2
)

// Live reports whether something can still be done with the recovery at t.
func (r Recovery) Live(t time.Time) bool {
	return (r.State == RecoveryProving || r.State == RecoveryWaiting || r.State == RecoveryEnrolling) && t.Before(r.Ends)
}

// Finishable reports whether a new password may be set at t.
func (r Recovery) Finishable(t time.Time) bool {
	return r.Live(t) && r.State != RecoveryProving && !t.Before(r.Ready) && len(r.Reviews) >= r.Needs
}

// Has reports whether a proof of the kind was given.
func (r Recovery) Has(k ProofKind) bool {
	return slices.ContainsFunc(r.Proofs, func(p RecoveryProof) bool { return p.Kind == k })
}

// Independent reports whether proofs suffice (SM-20): two of different kinds, or
// two authenticators. Two codes to addresses, or two of one paper, are one proof.
func Independent(proofs []RecoveryProof) bool {
	seen := map[string]bool{}
	for _, p := range proofs {
		key := string(p.Kind)
		if p.Kind == ProofPasskey {
			key += ":" + p.Factor
		}
		seen[key] = true
	}
	return len(seen) >= 2
}

// RecoveryPlan gives how long a proven recovery waits, and how many of the staff
// review it (SM-20, SM-22): two for staff, proxies and people at particular risk,
// and where the browser is that of somebody who helps the patient. A code to an
// address on a strange browser waits, because mailboxes are taken over first.
func RecoveryPlan(p Person, r Recovery) (wait time.Duration, reviews int) {
	if p.Role.NeedsSecondFactor() || p.HighRisk || r.Helped {
		reviews = fourEyes
	}
	if p.HighRisk || p.Role == RoleProxy || r.Helped || r.Strange && r.Has(ProofContact) && !r.Has(ProofStaff) {
		wait = RecoveryWait
	}
	return wait, reviews
}

// RefusalReasons and ApprovalReasons are what a reviewer may give.
func RefusalReasons() []string { return []string{"not-the-person", "under-pressure", "unclear"} }

// ApprovalReasons are what a reviewer may give.
func ApprovalReasons() []string { return []string{"seen", "called", "evidence"} }

// CheckWays are how staff may check who somebody is.
func CheckWays() []string { return []string{"in-person", "call-back"} }

// Recoveries is the port of ways back into accounts.
type Recoveries interface {
	// RecoveryByHash and RecoveryByID give one. Errors: errs.NotFound.
	RecoveryByHash(ctx context.Context, tenant, hash string) (Recovery, error)
	RecoveryByID(ctx context.Context, tenant, id string) (Recovery, error)
	// RecoveriesOpen gives those that are proving or waiting and end after now, the
	// oldest first, at most limit.
	RecoveriesOpen(ctx context.Context, tenant string, now time.Time, limit int) ([]Recovery, error)
	// PutRecovery stores one whose stored version is ifVersion, 0 for a new one.
	// Errors: errs.Conflict when a new one exists, errs.PreconditionFailed with code
	// version-changed.
	PutRecovery(ctx context.Context, r Recovery, ifVersion int) error
}
