package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
)

// reasonRestored is the reason that stands with what a restore revokes.
const reasonRestored = "revoked-before-restore"

// rooms are the use-cases that a replay needs.
type rooms struct {
	consents *consent.Service
	proxies  *proxy.Service
}

// newRooms gives them on a store.
func newRooms(st *store.Store, v consent.Validator, clk clock.Clock, src ids.Source) rooms {
	return rooms{
		consents: consent.NewService(consent.Deps{
			Store: st, Tx: on(st, func(tx store.Tx) consent.FilingTx { return tx }), Validator: v, Clock: clk, IDs: src,
		}),
		proxies: proxy.NewService(proxy.Deps{
			Tx: on(st, func(tx store.Tx) proxy.Tx { return tx }), Validator: v, Clock: clk, IDs: src,
		}),
	}
}

// replayed counts what a replay did.
type replayed struct {
	// Entries are the entries of the journal newer than the backup, Applied
	// those that changed the restored store.
	Entries int `json:"entries"`
	Applied int `json:"applied"`
	// Held are the patients whose lost prohibition was replaced by one of
	// everything; Factors the accounts that need a new factor.
	Held    []string `json:"held_patients,omitempty"`
	Factors []string `json:"accounts_without_factor,omitempty"`
	// Operators are the accounts from which a role was taken again.
	Operators []string `json:"accounts_without_role,omitempty"`
}

// replay revokes in a restored store what was revoked after its backup.
type replay struct {
	store *store.Store
	rooms rooms
	clock clock.Clock
	// heads are how far the journal was when the backup was made.
	heads []journal.Head
	did   replayed
}

// run applies the entries that the backup does not hold.
func (p *replay) run(ctx context.Context, lines []journal.Line) (replayed, error) {
	held, err := p.store.Revocations(ctx)
	if err != nil {
		return p.did, err
	}
	for _, h := range p.heads {
		for _, l := range lines {
			if l.Segment == h.Segment && l.N <= h.Line {
				held[l.ID] = true
			}
		}
	}
	var fresh []journal.Entry
	for _, l := range lines {
		if held[l.ID] {
			continue
		}
		held[l.ID] = true
		fresh = append(fresh, l.Entry)
		changed, err := p.apply(ctx, l.Entry)
		if err != nil {
			return p.did, err
		}
		if changed {
			p.did.Applied++
		}
	}
	p.did.Entries = len(fresh)
	return p.did, p.hold(ctx, fresh)
}

// apply revokes one thing. What the backup does not know at all needs nothing.
func (p *replay) apply(ctx context.Context, e journal.Entry) (changed bool, err error) {
	switch e.Kind {
	case journal.Consent:
		return p.consent(ctx, e)
	case journal.Relation:
		return p.relation(ctx, e)
	case journal.Factor:
		return p.factor(ctx, e)
	case journal.Erasure:
		return p.erase(ctx, e)
	}
	err = p.store.InTx(ctx, func(tx store.Tx) (err error) {
		changed, err = p.row(ctx, tx, e)
		if errs.Is(err, errs.NotFound) {
			return nil
		}
		return err
	})
	if err == nil && changed && e.Kind == journal.Operator {
		p.did.Operators = append(p.did.Operators, e.Subject)
	}
	return changed && err == nil, err
}

// erase destroys keys that had been destroyed before the restore. The restored
// log does not know of it yet: it says so first, and is sealed, because without
// its keys nothing can be.
func (p *replay) erase(ctx context.Context, e journal.Entry) (bool, error) {
	err := p.store.InTx(ctx, func(tx store.Tx) error {
		now := p.clock.Now()
		if e.Subject != "" {
			rows, err := tx.DataKeys(ctx, e.Tenant, e.Subject)
			if err != nil || !slices.ContainsFunc(rows, func(k keys.DataKey) bool { return k.Destroyed.IsZero() }) {
				return err
			}
			return tx.AppendAudit(ctx, audit.Shredding(e.Tenant, e.Subject, now, now))
		}
		rows, err := tx.TenantKeys(ctx, e.Tenant)
		if err != nil || !slices.ContainsFunc(rows, func(k keys.TenantKey) bool { return k.Destroyed.IsZero() }) {
			return err
		}
		return endLog(ctx, tx, ids.Source{}, lastEvent{tenant: e.Tenant, until: now, now: now})
	})
	if err != nil {
		return false, err
	}
	err = audit.SealAll(ctx, audit.SealerDeps{Ledger: p.store, Secrets: p.store, Clock: p.clock, IDs: ids.Source{}}, e.Tenant)
	if err != nil && !errs.Is(err, errs.Gone) {
		return false, err
	}
	return p.store.Erase(ctx, e.Tenant, e.Subject)
}

// row revokes what is one row.
func (p *replay) row(ctx context.Context, tx store.Tx, e journal.Entry) (bool, error) {
	now := p.clock.Now()
	switch e.Kind {
	case journal.Grant:
		return tx.RevokeGrant(ctx, e.Tenant, e.Subject, reasonRestored, now)
	case journal.Delegation:
		return tx.EndDelegation(ctx, e.Tenant, e.Subject, e.Class, now)
	case journal.Token:
		return true, tx.RevokeToken(ctx, e.Tenant, e.Subject, e.Until)
	case journal.Session:
		return true, tx.EndSession(ctx, e.Tenant, e.Subject, now)
	case journal.Client:
		c, err := tx.ClientByID(ctx, e.Tenant, e.Subject)
		if err != nil || c.Disabled {
			return false, err
		}
		c.Disabled = true
		return true, tx.PutClient(ctx, c)
	case journal.Person:
		v, err := tx.PersonByID(ctx, e.Tenant, e.Subject)
		if err != nil || v.Disabled {
			return false, err
		}
		v.Disabled = true
		return true, tx.PutPerson(ctx, v)
	case journal.Tenant:
		return true, tx.SetTenantState(ctx, e.Subject, tenants.Disabled)
	case journal.SigningKey:
		return p.signingKey(ctx, tx, e, now)
	case journal.Operator:
		return p.operator(ctx, tx, e)
	}
	return false, errs.New(errs.Unprocessable, "revocation-unknown",
		"The revocation journal holds a kind of revocation that this program does not know: "+string(e.Kind)+". Restore with a newer version.")
}

// operator takes a role away, and with the last one the user of the operating
// system.
func (p *replay) operator(ctx context.Context, tx store.Tx, e journal.Entry) (bool, error) {
	if err := tx.RevokeOperator(ctx, e.Tenant, e.Subject, operator.Role(e.Class)); err != nil {
		return false, err
	}
	held, err := tx.Operators(ctx, e.Tenant)
	if err != nil || slices.ContainsFunc(held, func(a operator.Assignment) bool { return a.PersonID == e.Subject }) {
		return true, err
	}
	return true, tx.UnbindOSUser(ctx, e.Tenant, e.Subject)
}

func (p *replay) signingKey(ctx context.Context, tx store.Tx, e journal.Entry, now time.Time) (bool, error) {
	all, err := tx.SigningKeys(ctx, e.Tenant)
	if err != nil {
		return false, err
	}
	for _, k := range all {
		if k.KID == e.Subject && e.Status == journal.Removed {
			return true, tx.RemoveSigningKey(ctx, e.Tenant, e.Subject)
		}
		if k.KID == e.Subject && k.Retired.IsZero() {
			k.Retired = now
			return true, tx.PutSigningKey(ctx, k)
		}
	}
	return false, nil
}

// factor takes away a factor whose value was replaced: the old one may have
// been replaced because somebody knew it.
func (p *replay) factor(ctx context.Context, e journal.Entry) (bool, error) {
	person, err := p.store.DropFactor(ctx, e.Tenant, e.Subject)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p.did.Factors = append(p.did.Factors, person)
	return true, nil
}

// consent withdraws a Consent that has a newer version than the backup knows:
// what the newer one allowed less is not known.
func (p *replay) consent(ctx context.Context, e journal.Entry) (bool, error) {
	have, err := p.store.ConsentByID(ctx, e.Tenant, e.Subject)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if have.Version >= e.Version || have.Kind == consent.KindProhibition || have.Kind == consent.KindOther {
		return false, nil
	}
	after, err := p.rooms.consents.Withdraw(ctx, e.Tenant, e.Subject, audit.Event{Reason: reasonRestored})
	return after.Version > have.Version, err
}

// relation ends a RelatedPerson that has a newer version than the backup knows.
func (p *replay) relation(ctx context.Context, e journal.Entry) (bool, error) {
	have, err := p.store.RelatedPersonByID(ctx, e.Tenant, e.Subject)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil || have.Version >= e.Version || !have.Active {
		return false, err
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(have.JSON, &body); err != nil {
		return false, errs.Wrap(err, errs.Internal, "restore-relation", "A RelatedPerson of the backup cannot be read.")
	}
	body["active"] = json.RawMessage("false")
	raw, err := json.Marshal(body)
	if err != nil {
		return false, errs.Wrap(err, errs.Internal, "restore-relation", "A RelatedPerson of the backup cannot be written.")
	}
	_, err = p.rooms.proxies.Save(ctx, proxy.Saving{
		Tenant: e.Tenant, ID: e.Subject, IfVersion: have.Version, Raw: raw, Origin: audit.Event{Reason: reasonRestored},
	})
	return err == nil, err
}

// heldConsent is the Consent that stands in for a prohibition that was lost: it
// keeps everybody but the patient out, with break-the-glass as exception, until
// somebody has asked the patient.
const heldConsent = `{"resourceType":"Consent","status":"active",
"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],
"patient":{"reference":"Patient/PATIENT"},"dateTime":"DATETIME",
"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUTE"}]},
"provision":{"type":"deny","provision":[{"type":"permit","purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"BTG"}]}]}}`

// stands reports whether something that was revoked for good stands all the
// same in a restored store. What may be allowed again, such as an account, does
// not count.
func stands(ctx context.Context, st *store.Store, e journal.Entry, now time.Time) (alive bool, err error) {
	switch e.Kind {
	case journal.Grant:
		g, e := st.GrantByID(ctx, e.Tenant, e.Subject)
		alive, err = g.Revoked.IsZero(), e
	case journal.Delegation:
		all, e2 := st.Delegations(ctx, e.Tenant, e.Subject)
		alive, err = slices.ContainsFunc(all, func(d oauth.Delegation) bool { return d.ClientID == e.Class && d.Ended.IsZero() }), e2
	case journal.Session:
		s, e := st.SessionByHash(ctx, e.Tenant, e.Subject)
		alive, err = s.Ended.IsZero(), e
	case journal.Token:
		listed, e2 := st.TokenRevoked(ctx, e.Tenant, e.Subject)
		alive, err = !listed && now.Before(e.Until), e2
	case journal.Consent:
		c, e2 := st.ConsentByID(ctx, e.Tenant, e.Subject)
		alive, err = c.Version < e.Version && c.Status == "active" && c.Kind == consent.KindGrant, e2
	case journal.SigningKey:
		all, e2 := st.SigningKeys(ctx, e.Tenant)
		alive, err = e.Status == journal.Removed && slices.ContainsFunc(all, func(k keys.SigningKey) bool { return k.KID == e.Subject }), e2
	}
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return alive, err
}

// hold files that Consent for each patient of whom a prohibition was filed or
// changed after the backup and stood at the end of the journal.
func (p *replay) hold(ctx context.Context, fresh []journal.Entry) error {
	standing := map[store.ConsentKey]journal.Entry{}
	for _, e := range fresh {
		if e.Kind == journal.Consent && e.Class == string(consent.KindProhibition) {
			standing[store.ConsentKey{Tenant: e.Tenant, ID: e.Subject}] = e
		}
	}
	for key, e := range standing {
		have, err := p.store.ConsentByID(ctx, key.Tenant, key.ID)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		if e.Status != "active" || err == nil && have.Version >= e.Version {
			continue
		}
		sum := sha256.Sum256([]byte(e.ID))
		body := strings.NewReplacer("PATIENT", e.Patient, "DATETIME", p.clock.Now().Format(time.RFC3339)).Replace(heldConsent)
		_, err = p.rooms.consents.File(ctx, consent.Filing{
			Tenant: key.Tenant, ID: "held-" + hex.EncodeToString(sum[:12]), Raw: []byte(body), Origin: audit.Event{Reason: reasonRestored},
		})
		// A restore that was killed filed it before.
		if err != nil && !errs.Is(err, errs.Conflict) {
			return err
		}
		p.did.Held = append(p.did.Held, e.Patient)
	}
	slices.Sort(p.did.Held)
	p.did.Held = slices.Compact(p.did.Held)
	return nil
}

// everything withdraws each Consent that lets somebody in; grants and log-ins
// were ended with the rest.
func (p *replay) everything(ctx context.Context) (replayed, error) {
	all, err := p.store.LiveConsents(ctx, consent.KindGrant, consent.KindAppApproval)
	if err != nil {
		return p.did, err
	}
	for _, c := range all {
		if _, err := p.rooms.consents.Withdraw(ctx, c.Tenant, c.ID, audit.Event{Reason: reasonRestored}); err != nil {
			return p.did, err
		}
		p.did.Applied++
	}
	return p.did, nil
}
