package keys

import (
	"context"
	"strconv"
	"time"
)

// How long keys serve before they are due (SE-03). Signing keys are rotated by
// their schedule; the others by an operator, whom doctor and a metric remind.
const (
	SigningEvery = 90 * 24 * time.Hour
	StorageEvery = 365 * 24 * time.Hour
)

// KindAuditLog are the keys of a tenant's audit log, which audit keeps.
const KindAuditLog = "audit-log"

// Kinds gives what an Item's Kind may be; each can be rotated.
func Kinds() []string {
	out := []string{"kek", "tenant", "data", "index", "patients", KindAuditLog}
	for _, u := range Uses() {
		out = append(out, string(u))
	}
	return out
}

// Item is one key in use as operators see it.
type Item struct {
	// Tenant is empty for a key-encryption key.
	Tenant string `json:"tenant,omitempty"`
	// Kind is one of Kinds.
	Kind string `json:"kind"`
	// ID is a version, a kid or the id of a KEK.
	ID string `json:"id"`
	// Where is the kind of provider of a key-encryption key, the module in which
	// a signing key lives, or WhereStore: wrapped in the store.
	Where string `json:"where"`
	// State is active, announced, retired or destroyed.
	State   string    `json:"state"`
	Created time.Time `json:"created"`
	// Due is when its successor should serve; zero for what serves no more or
	// has an age that nobody knows.
	Due time.Time `json:"due,omitzero"`
}

// Age gives how old the key is at now.
func (i Item) Age(now time.Time) time.Duration { return now.Sub(i.Created) }

// Overdue reports whether the key should have been replaced before now.
func (i Item) Overdue(now time.Time) bool { return !i.Due.IsZero() && now.After(i.Due) }

// Inventory lists the keys of a store, for `mandate keys list`, doctor and the
// metric of the oldest key. Keys of single patients are summed up as the oldest.
type Inventory struct {
	Provider Provider
	Vault    Vault
	Signing  Store
	// More gives the keys of a tenant that another room keeps; nil for none.
	More func(ctx context.Context, tenant string) ([]Item, error)
}

// Items gives them by tenant. Errors: errs.Unavailable, also of the provider.
func (v Inventory) Items(ctx context.Context, now time.Time) ([]Item, error) {
	kek, err := v.Provider.Current(ctx)
	if err != nil {
		return nil, err
	}
	first := Item{Kind: "kek", ID: kek.ID, Where: v.Provider.Name(), State: "active", Created: kek.Created}
	if !kek.Created.IsZero() {
		first.Due = kek.Created.Add(StorageEvery)
	}
	out := []Item{first}
	tenants, err := v.Vault.KeyTenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tenants {
		items, err := v.tenant(ctx, t, now)
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
	}
	return out, nil
}

func (v Inventory) tenant(ctx context.Context, tenant string, now time.Time) ([]Item, error) {
	var out []Item
	rows, err := v.Vault.TenantKeys(ctx, tenant)
	if err != nil {
		return nil, err
	}
	for i, k := range rows {
		var retired time.Time
		if i+1 < len(rows) {
			retired = rows[i+1].Active
		}
		out = append(out, item(tenant, "tenant", version(k.Version), now, times{k.Created, k.Active, retired, k.Destroyed}, StorageEvery))
	}
	for kind, subject := range map[string]string{"data": "", "index": SubjectIndex} {
		rows, err := v.Vault.DataKeys(ctx, tenant, subject)
		if err != nil {
			return nil, err
		}
		for _, k := range rows {
			out = append(out, item(tenant, kind, version(k.Version), now, times{k.Created, k.Active, k.Retired, k.Destroyed}, StorageEvery))
		}
	}
	oldest, err := v.Vault.OldestPatientKey(ctx, tenant)
	if err != nil {
		return nil, err
	}
	if !oldest.IsZero() {
		out = append(out, item(tenant, "patients", "oldest", now, times{created: oldest}, StorageEvery))
	}
	if v.More != nil {
		more, err := v.More(ctx, tenant)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	signing, err := v.Signing.SigningKeys(ctx, tenant)
	for _, k := range signing {
		// A day is left to the schedule.
		i := item(tenant, string(k.Use), k.KID, now, times{k.Created, k.Signs, k.Retired, time.Time{}}, SigningEvery+24*time.Hour)
		i.Where = k.Where()
		out = append(out, i)
	}
	return out, err
}

// times are the stations of a key's life; zero when there is none.
type times struct{ created, active, retired, destroyed time.Time }

func item(tenant, kind, id string, now time.Time, t times, every time.Duration) Item {
	i := Item{Tenant: tenant, Kind: kind, ID: id, Where: WhereStore, Created: t.created}
	switch {
	case !t.destroyed.IsZero():
		i.State = "destroyed"
	case t.active.After(now):
		i.State = "announced"
	case !t.retired.IsZero() && !t.retired.After(now):
		i.State = "retired"
	default:
		i.State, i.Due = "active", t.created.Add(every)
	}
	return i
}

func version(n int) string { return "v" + strconv.Itoa(n) }
