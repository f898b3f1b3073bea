package keys

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
)

// batch is how many data keys one round wraps again.
const batch = 200

// Custodian rotates and ends the keys of a store while it is in use (SE-03,
// SG-10), each act in one transaction with its record. What takes long is left
// to Tend, which one node at a time calls again and again. The vault must be the
// store itself and not a transaction: the key provider is asked between its
// calls.
type Custodian struct {
	Envelope *Envelope
	// Ring is told of changed signing keys at once.
	Ring  *Ring
	Vault Vault
	Tx    txn.Runner[Tx]
	Clock clock.Clock
	// Lives are how long what is made under a key of a use lives at most, where
	// that may be longer than the Overlap.
	Lives map[Use]time.Duration
	// InUse reports whether anything that has no end is hashed under the
	// UseTokenHash key of a mark; nil when there is no such thing.
	InUse func(ctx context.Context, tenant, mark string) (bool, error)
	// Home is the tenant whose log tells of the end of another.
	Home string
}

// RotateKEK makes a new key-encryption key current and wraps every tenant's
// keys under it; the record goes to a tenant's log. It gives how many it
// wrapped. Errors: errs.Unavailable.
func (c *Custodian) RotateKEK(ctx context.Context, log string) (kek KEK, n int, err error) {
	before, err := c.Envelope.provider.Current(ctx)
	if err != nil {
		return before, 0, err
	}
	err = c.Outside(ctx, Act{Tenant: log, Action: "U", Reason: "key-rotated", Kind: "kek", Key: before.ID}, func() (string, error) {
		if kek, err = c.Envelope.provider.Rotate(ctx); err != nil {
			return "", err
		}
		n, err = c.rewrapAll(ctx)
		return kek.ID, err
	})
	return kek, n, err
}

// rewrapAll wraps under the current key-encryption key what is under older ones.
func (c *Custodian) rewrapAll(ctx context.Context) (int, error) {
	kek, err := c.Envelope.provider.Current(ctx)
	if err != nil {
		return 0, err
	}
	tenants, err := c.Vault.KeyTenants(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, tenant := range tenants {
		rows, err := c.Vault.TenantKeys(ctx, tenant)
		if err != nil {
			return n, err
		}
		for _, k := range rows {
			if !k.Destroyed.IsZero() || k.KEK == kek.ID {
				continue
			}
			won, err := c.rewrap(ctx, k)
			if err != nil {
				return n, err
			}
			if won {
				n++
			}
		}
	}
	return n, nil
}

func (c *Custodian) rewrap(ctx context.Context, k TenantKey) (bool, error) {
	was := k.KEK
	plain, err := c.Envelope.provider.Unwrap(ctx, Wrapped{KEK: k.KEK, Bytes: k.Wrapped}, k.context())
	if err != nil {
		return false, err
	}
	w, err := c.Envelope.provider.Wrap(ctx, plain, k.context())
	if err != nil {
		return false, err
	}
	k.KEK, k.Wrapped = w.KEK, w.Bytes
	return c.Vault.RewrapTenantKey(ctx, k, was)
}

// RotateTenant announces a new tenant key; Tend then wraps the data keys under
// it and destroys the older ones. Errors: errs.NotFound (tenant-keys-missing),
// errs.Conflict (key-rotated-meanwhile), errs.Unavailable.
func (c *Custodian) RotateTenant(ctx context.Context, tenant string) error {
	rows, err := c.Vault.TenantKeys(ctx, tenant)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return errNoKeys()
	}
	now := c.Clock.Now()
	k, err := c.Envelope.newTenantKey(ctx, TenantKey{
		Tenant: tenant, Version: rows[len(rows)-1].Version + 1, Created: now, Active: now.Add(Announce),
	})
	if err != nil {
		return err
	}
	return c.act(ctx, tenant, func(tx Tx) error {
		again, err := tx.TenantKeys(ctx, tenant)
		if err != nil {
			return err
		}
		if len(again) != len(rows) {
			return errs.New(errs.Conflict, "key-rotated-meanwhile", "Somebody else has just rotated this key.")
		}
		if err := tx.AddTenantKey(ctx, k); err != nil {
			return err
		}
		return tx.Record(ctx, Act{Tenant: tenant, Action: "U", Reason: "key-rotated", Kind: "tenant", Key: version(k.Version)})
	})
}

// RotateData makes the next version of a data key: of a patient, of the tenant
// itself (""), or SubjectIndex. It encrypts from now on, or once it was
// announced; the store is then encrypted again, and the older ones destroyed.
// Errors: errs.NotFound (data-key-not-found), errs.Unavailable.
func (c *Custodian) RotateData(ctx context.Context, tenant, subject string) error {
	return c.act(ctx, tenant, func(tx Tx) error {
		k, err := c.successor(ctx, tx, tenant, subject)
		if err != nil {
			return err
		}
		if err := tx.StartReseal(ctx, tenant, c.Clock.Now()); err != nil {
			return err
		}
		a := Act{Tenant: tenant, Action: "U", Reason: "key-rotated", Kind: "data", Key: version(k.Version)}
		switch subject {
		case "":
		case SubjectIndex:
			a.Kind = "index"
		default:
			a.Key = subject + " " + a.Key
		}
		return tx.Record(ctx, a)
	})
}

// RotatePatients makes the next version of every patient's data key and gives
// their number. Each transaction covers some of them. Errors: errs.Unavailable.
func (c *Custodian) RotatePatients(ctx context.Context, tenant string) (int, error) {
	total, after := 0, ""
	for {
		var n int
		var last string
		err := c.act(ctx, tenant, func(tx Tx) (err error) {
			n, last, err = c.rotateSome(ctx, tx, tenant, after)
			return err
		})
		total, after = total+n, last
		if err != nil || last == "" {
			return total, err
		}
	}
}

// rotateSome is RotatePatients for a batch of subjects behind one; last is the
// last of them, "" when there is none.
func (c *Custodian) rotateSome(ctx context.Context, tx Tx, tenant, after string) (n int, last string, err error) {
	subjects, err := tx.DataKeySubjects(ctx, tenant, after, batch)
	if err != nil {
		return 0, "", err
	}
	for _, s := range subjects {
		last = s
		if reserved(s) {
			continue
		}
		if _, err := c.successor(ctx, tx, tenant, s); err != nil {
			return 0, "", err
		}
		n++
	}
	if n == 0 {
		return 0, last, nil
	}
	if err := tx.StartReseal(ctx, tenant, c.Clock.Now()); err != nil {
		return 0, "", err
	}
	return n, last, tx.Record(ctx, Act{Tenant: tenant, Action: "U", Reason: "key-rotated", Kind: "patients", Key: strconv.Itoa(n)})
}

func (c *Custodian) successor(ctx context.Context, tx Tx, tenant, subject string) (DataKey, error) {
	rows, err := tx.DataKeys(ctx, tenant, subject)
	if err != nil {
		return DataKey{}, err
	}
	if len(rows) == 0 {
		return DataKey{}, errs.New(errs.NotFound, "data-key-not-found", "There is no such data key.")
	}
	now := c.Clock.Now()
	k := DataKey{Tenant: tenant, Subject: subject, Version: rows[len(rows)-1].Version + 1, Created: now, Active: now.Add(Announce)}
	if k, err = c.Envelope.newDataKey(ctx, tx, k); err != nil {
		return k, err
	}
	if err := tx.AddDataKey(ctx, k); err != nil {
		return k, err
	}
	return k, tx.EndDataKeys(ctx, tenant, subject, k.Version, k.Active, time.Time{})
}

// shredSlack is how long after its time a key may be destroyed.
const shredSlack = time.Minute

// Shred ends every version of a patient's data key: they are destroyed by Tend
// once no node encrypts under them any more, and what they encrypted is then
// erased for good, in every copy of the store. What is written about the
// patient later gets a new key. It gives when that is. Errors: errs.Invalid
// (patient-missing) without a patient; errs.NotFound (data-key-not-found), and
// nothing is recorded; errs.Unavailable.
func (c *Custodian) Shred(ctx context.Context, tenant, patient string) (time.Time, error) {
	if patient == "" || reserved(patient) {
		return time.Time{}, errs.New(errs.Invalid, "patient-missing", "A patient's id is needed.")
	}
	now := c.Clock.Now()
	at := now.Add(Announce)
	return at, c.act(ctx, tenant, func(tx Tx) error {
		rows, err := tx.DataKeys(ctx, tenant, patient)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(rows, func(k DataKey) bool { return k.Destroyed.IsZero() }) {
			return errs.New(errs.NotFound, "data-key-not-found", "Nothing is encrypted under a key of this patient.")
		}
		err = tx.Record(ctx, Act{Tenant: tenant, Action: "D", Reason: "keys-shredded", Kind: "data",
			Key: "patient " + patient, Patient: patient, Until: at.Add(shredSlack)})
		if err != nil {
			return err
		}
		return tx.EndDataKeys(ctx, tenant, patient, rows[len(rows)-1].Version+1, now, at)
	})
}

// ShredTenant ends every key of a tenant, as Shred does those of a patient;
// nothing can be written for it afterwards. Errors: errs.NotFound
// (tenant-keys-missing), errs.Unavailable.
func (c *Custodian) ShredTenant(ctx context.Context, tenant string) (time.Time, error) {
	now := c.Clock.Now()
	at := now.Add(Announce)
	err := c.act(ctx, tenant, func(tx Tx) error {
		rows, err := tx.TenantKeys(ctx, tenant)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return errNoKeys()
		}
		// First, because nothing can be encrypted afterwards.
		err = tx.Record(ctx, Act{Tenant: tenant, Action: "D", Reason: "keys-shredded", Kind: "tenant",
			Key: "all of tenant " + tenant, AllTenant: true, Until: at.Add(shredSlack)})
		if err != nil {
			return err
		}
		return tx.EndTenantKeys(ctx, tenant, maxVersion, at)
	})
	if err != nil {
		return at, err
	}
	// The data keys follow in steps of their own; Tend would end them as well.
	if err := c.endAll(ctx, tenant, now, at); err != nil {
		return at, err
	}
	return at, c.changed(ctx, tenant)
}

// act runs one act in one transaction, tells all nodes and reads the tenant's
// keys again. The provider is asked before: not while the transaction is open.
func (c *Custodian) act(ctx context.Context, tenant string, do func(Tx) error) error {
	if _, err := c.Envelope.tenant(ctx, c.Vault, tenant, true); err != nil {
		return err
	}
	err := c.Tx.InTx(ctx, func(tx Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		return tx.KeysChanged(ctx, tenant)
	})
	if err != nil {
		return err
	}
	return c.Envelope.Reload(ctx, c.Vault, tenant)
}

// endAll ends every data key of a tenant.
func (c *Custodian) endAll(ctx context.Context, tenant string, now, at time.Time) error {
	if err := c.Vault.EndDataKeys(ctx, tenant, "", maxVersion, now, at); err != nil {
		return err
	}
	for after := ""; ; {
		subjects, err := c.Vault.DataKeySubjects(ctx, tenant, after, batch)
		if err != nil || len(subjects) == 0 {
			return err
		}
		for _, s := range subjects {
			if err := c.Vault.EndDataKeys(ctx, tenant, s, maxVersion, now, at); err != nil {
				return err
			}
			after = s
		}
	}
}

const maxVersion = 1 << 31

func reserved(subject string) bool { return strings.HasPrefix(subject, "#") }

func (c *Custodian) changed(ctx context.Context, tenant string) error {
	if err := c.Vault.KeysChanged(ctx, tenant); err != nil {
		return err
	}
	return c.Envelope.Reload(ctx, c.Vault, tenant)
}

// Tend goes on with what rotations left to be done: it wraps data keys under
// the newest tenant key, ends what nothing is under any more, and destroys what
// is due, which it records. Errors: errs.Unavailable.
func (c *Custodian) Tend(ctx context.Context) error {
	tenants, err := c.Vault.KeyTenants(ctx)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		if err := c.tendTenant(ctx, tenant); err != nil {
			return err
		}
	}
	return c.destroy(ctx)
}

func (c *Custodian) tendTenant(ctx context.Context, tenant string) error {
	t, err := c.Envelope.tenant(ctx, c.Vault, tenant, true)
	if err != nil {
		return err
	}
	now := c.Clock.Now()
	writer := t.writer(now)
	switch {
	case writer == nil && t.older(maxVersion):
		// The tenant is being erased, and a node may have made keys since.
		return c.endAll(ctx, tenant, now, now)
	case writer == nil || !t.older(writer.row.Version):
		return nil
	}
	for {
		rows, err := c.Vault.DataKeysUnder(ctx, tenant, writer.row.Version, batch)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return c.Vault.EndTenantKeys(ctx, tenant, writer.row.Version, c.Clock.Now().Add(Announce))
		}
		for _, row := range rows {
			parent := t.byVersion(row.Parent)
			if parent == nil || parent.aead == nil {
				return errs.New(errs.Internal, "tenant-key-missing", "A data key is wrapped by a tenant key that the store does not hold.")
			}
			plain, err := unwrapWith(parent.aead, row)
			if err != nil {
				return err
			}
			was := row.Parent
			row.Parent = writer.row.Version
			row.Wrapped = wrapWith(writer.aead, row, plain)
			if _, err := c.Vault.RewrapDataKey(ctx, row, was); err != nil {
				return err
			}
		}
	}
}

// older reports whether a version below one is not destroyed yet.
func (t *tenantKeys) older(version int) bool {
	for _, k := range t.versions {
		if k.row.Version < version && k.row.Destroyed.IsZero() {
			return true
		}
	}
	return false
}

func errNoKeys() error {
	return errs.New(errs.NotFound, "tenant-keys-missing", "This tenant has no keys.")
}
