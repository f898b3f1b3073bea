package brand

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
)

// Validator checks a resource against FHIR R4; fhir/codec is one.
type Validator interface {
	// ValidateType returns errs.Invalid naming the elements at fault.
	ValidateType(raw []byte, resourceType string) error
}

// Service holds the use-cases. It is safe for concurrent use. Whether the caller
// may publish is decided above.
type Service struct {
	Tx        txn.Runner[Tx]
	Validator Validator
	Clock     clock.Clock
}

// Publication is a bundle on its way to the public.
type Publication struct {
	Tenant string
	// Base is the FHIR base of the tenant, which must be one of the endpoints; ""
	// where it is not known.
	Base string
	// IfVersion is the version that the caller last saw; 0 takes whatever is there.
	IfVersion int
	Raw       []byte
	// Origin says who publishes from where.
	Origin audit.Event
}

// Publish validates a bundle, stamps it with the times of its last changes and
// publishes it, with its audit event in one transaction. What changes nothing is
// no change. Errors: errs.Invalid and errs.Unprocessable naming the elements at
// fault, errs.TooLarge, errs.PreconditionFailed.
func (s *Service) Publish(ctx context.Context, p Publication) (Bundle, error) {
	if len(p.Raw) > MaxBytes {
		return Bundle{}, errs.New(errs.TooLarge, "brand-too-large", "A brand bundle may have 2 MiB at most.")
	}
	if err := s.Validator.ValidateType(p.Raw, "Bundle"); err != nil {
		return Bundle{}, err
	}
	d, err := read(p.Raw)
	if err != nil {
		return Bundle{}, err
	}
	if faults := judge(d, p.Base); len(faults) > 0 {
		return Bundle{}, refused(faults)
	}
	out := Bundle{Tenant: p.Tenant, Primary: primary(d, p.Base), Updated: s.Clock.Now().Truncate(time.Microsecond)}
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		before, err := tx.BrandBundle(ctx, p.Tenant)
		switch {
		case err != nil && !errs.Is(err, errs.NotFound):
			return err
		case p.IfVersion != 0 && p.IfVersion != before.Version:
			return errChanged
		}
		if out.JSON, err = stamped(d, before, out.Updated); err != nil {
			return err
		}
		if bytes.Equal(out.JSON, before.JSON) && before.Primary == out.Primary {
			out = before
			return nil
		}
		out.Version = before.Version + 1
		if err := tx.PutBrandBundle(ctx, out, before.Version); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, event(p.Origin, p.Tenant, action(before)))
	})
	return out, err
}

// Withdraw takes the bundle of a tenant off the net, with its audit event.
// Errors: errs.NotFound; errs.PreconditionFailed.
func (s *Service) Withdraw(ctx context.Context, tenant string, ifVersion int, origin audit.Event) error {
	return s.Tx.InTx(ctx, func(tx Tx) error {
		before, err := tx.BrandBundle(ctx, tenant)
		if err != nil {
			return err
		}
		if ifVersion != 0 && ifVersion != before.Version {
			return errChanged
		}
		if err := tx.DeleteBrandBundle(ctx, tenant, before.Version); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, event(origin, tenant, "D"))
	})
}

var errChanged = errs.New(errs.PreconditionFailed, "brand-changed", "The brand bundle was changed in the meantime.")

func action(before Bundle) string {
	if before.Version == 0 {
		return "C"
	}
	return "U"
}

func event(e audit.Event, tenant, action string) audit.Event {
	e.Tenant, e.Kind, e.Action, e.Outcome = tenant, audit.BrandChanged, action, audit.Success
	return e
}

// stamped gives the bytes to publish: with Bundle.timestamp, and each entry with
// the time when it last changed (BRD-02). Times that came along are not
// believed.
func stamped(d draft, before Bundle, now time.Time) ([]byte, error) {
	old, err := oldEntries(before)
	if err != nil {
		return nil, err
	}
	changed := len(old) != len(d.entries)
	for i, e := range d.entries {
		bare(e.resource)
		at := now.Format(time.RFC3339Nano)
		if was, ok := old[e.ref()]; ok && i == was.index && reflect.DeepEqual(was.bare, e.resource) {
			at = was.at
		} else {
			changed = true
		}
		meta, _ := e.resource["meta"].(resource)
		if meta == nil {
			meta = resource{}
		}
		meta["lastUpdated"] = at
		e.resource["meta"] = meta
	}
	delete(d.root, "meta")
	head := resource{}
	maps.Copy(head, d.root)
	was, err := oldHead(before)
	if err != nil {
		return nil, err
	}
	if !changed && sameHead(was, head) {
		return before.JSON, nil
	}
	d.root["timestamp"] = now.Format(time.RFC3339Nano)
	return json.Marshal(d.root)
}

// bare takes the time of the last change from a resource.
func bare(r resource) {
	meta, ok := r["meta"].(resource)
	if !ok {
		return
	}
	delete(meta, "lastUpdated")
	if len(meta) == 0 {
		delete(r, "meta")
	}
}

type oldEntry struct {
	index int
	at    string
	bare  resource
}

func oldEntries(b Bundle) (map[string]oldEntry, error) {
	if len(b.JSON) == 0 {
		return nil, nil
	}
	d, err := read(b.JSON)
	if err != nil {
		return nil, err
	}
	out := map[string]oldEntry{}
	for i, e := range d.entries {
		meta, _ := e.resource["meta"].(resource)
		at := text(meta["lastUpdated"])
		bare(e.resource)
		out[e.ref()] = oldEntry{i, at, e.resource}
	}
	return out, nil
}

func oldHead(b Bundle) (resource, error) {
	if len(b.JSON) == 0 {
		return nil, nil
	}
	d, err := read(b.JSON)
	return d.root, err
}

// sameHead compares bundles without their entries and times.
func sameHead(was, is resource) bool {
	cut := func(r resource) resource {
		out := maps.Clone(r)
		delete(out, "timestamp")
		delete(out, "meta")
		delete(out, "entry")
		return out
	}
	fullURLs := func(r resource) (out []string) {
		for _, v := range listOf(r["entry"]) {
			wrapper, _ := v.(resource)
			out = append(out, text(wrapper["fullUrl"]))
		}
		return out
	}
	return was != nil && reflect.DeepEqual(cut(was), cut(is)) && slices.Equal(fullURLs(was), fullURLs(is))
}

func sorted(m resource) []string { return slices.Sorted(maps.Keys(m)) }

// FaultError is the list of faults of a bundle. It is in the chain of the
// errs.Unprocessable that Publish returns.
type FaultError struct{ Faults []Fault }

// Error gives the faults in one line.
func (e *FaultError) Error() string {
	parts := make([]string, 0, len(e.Faults))
	for _, f := range e.Faults {
		parts = append(parts, f.Path+" "+f.Text)
	}
	return strings.Join(parts, "; ")
}

// Elements gives the paths of the faults, for OperationOutcome.
func (e *FaultError) Elements() []string {
	var out []string
	for _, f := range e.Faults {
		if !slices.Contains(out, f.Path) {
			out = append(out, f.Path)
		}
	}
	return out
}

// maxFaults bounds the report on one bundle.
const maxFaults = 20

func refused(faults []Fault) error {
	e := &FaultError{Faults: faults[:min(len(faults), maxFaults)]}
	return errs.Wrap(e, errs.Unprocessable, "brand-refused", "Not a bundle of user-access brands: "+e.Error()+".")
}
