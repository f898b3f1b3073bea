package keys

import (
	"context"
	"time"
)

// Act is one change of keys, for the audit log (AU-18).
type Act struct {
	Tenant string
	// Stage is where the act is; the zero value is Done.
	Stage Stage
	// Action is the FHIR audit action: C, U or D.
	Action string
	// Reason names the act, such as key-rotated; Kind and Key are what it was
	// done to.
	Reason, Kind, Key string
	// Patient is set when the patient's keys are to be destroyed, AllTenant when
	// all of the tenant's are; at the latest at Until.
	Patient   string
	AllTenant bool
	Until     time.Time
}

// Stage is how far an act is when it is recorded.
type Stage int

// The stages.
const (
	// Done acts took place, with their record in the same transaction.
	Done Stage = iota
	// Begun acts change what is outside of the store: they are recorded before,
	// and again as Done or Failed.
	Begun
	// Failed acts did not take place in full.
	Failed
)

// Tx is the port by which one transaction changes keys and records that: no
// record, no act (D8).
type Tx interface {
	Vault
	Store
	Resealer
	// Record writes the audit event of an act.
	Record(ctx context.Context, a Act) error
}

// Outside does an act that changes what no transaction covers: a key file or a
// key service. It is recorded before, without which it is not done, and after.
// do gives the key that came of it. Errors: those of do; errs.Unavailable.
func (c *Custodian) Outside(ctx context.Context, a Act, do func() (key string, err error)) error {
	a.Stage = Begun
	if err := c.record(ctx, a); err != nil {
		return err
	}
	key, err := do()
	a.Stage = Done
	if err != nil {
		a.Stage = Failed
	}
	if key != "" {
		a.Key = key
	}
	// How it ended is recorded even for who stopped it.
	if told := c.record(context.WithoutCancel(ctx), a); err == nil {
		err = told
	}
	return err
}

func (c *Custodian) record(ctx context.Context, a Act) error {
	return c.Tx.InTx(ctx, func(tx Tx) error { return tx.Record(ctx, a) })
}
