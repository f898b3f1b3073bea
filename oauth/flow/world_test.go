package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/proxy"
)

const tenant = "t1"

// start is when every story begins.
var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// hands is a clock that stories move.
type hands struct{ now time.Time }

func (h *hands) Now() time.Time { return h.now }

// rows are what a transaction may change.
type rows struct {
	launches map[string]oauth.Launch
	pendings map[string]oauth.Pending
	pushed   map[string]oauth.Pushed
	spent    map[string]bool
	grants   []oauth.Grant
	approved []consent.Record
	events   []audit.Event
	notices  []outbox.Notice
	codes    int
}

func (r rows) clone() rows {
	r.launches, r.pendings = maps.Clone(r.launches), maps.Clone(r.pendings)
	r.pushed, r.spent = maps.Clone(r.pushed), maps.Clone(r.spent)
	return r
}

// world is the flow with a store in memory and a small record.
type world struct {
	// Methods that no story reaches are missing on purpose.
	flow.Tx
	rows
	t        *testing.T
	clock    *hands
	service  *flow.Service
	loader   *authority.Loader
	clients  map[string]oauth.Client
	people   []identity.Person
	related  map[string]proxy.RelatedPerson
	consents []string
	// entries is the record of every patient, as JSON by type.
	entries map[string][]string
	// fails names the statement that the store refuses.
	fails string
	down  bool
	// carried is what browsers carry, nil where they carry nothing.
	carried map[string]oauth.Pending
	// stolen lets another node win every race for a pushed request.
	stolen bool
}

var errStore = errs.New(errs.Unavailable, "store-down", "The store does not answer.")

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, clock: &hands{start}, rows: rows{launches: map[string]oauth.Launch{}, pendings: map[string]oauth.Pending{}, pushed: map[string]oauth.Pushed{}, spent: map[string]bool{}},
		related: map[string]proxy.RelatedPerson{}, entries: map[string][]string{},
	}
	ceiling := "openid fhirUser profile launch launch/patient launch/encounter offline_access online_access patient/*.cruds user/*.cruds"
	w.clients = map[string]oauth.Client{
		"diary":  {Tenant: tenant, ID: "diary", Kind: oauth.ClientPublic, Name: "Diary", RedirectURIs: []string{callback}, LaunchURIs: []string{"https://app.example/launch?skin=1"}, Scopes: ceiling},
		"lens":   {Tenant: tenant, ID: "lens", Kind: oauth.ClientPublic, Name: "Lens", RedirectURIs: []string{callback}, Scopes: ceiling},
		"closed": {Tenant: tenant, ID: "closed", Kind: oauth.ClientPublic, RedirectURIs: []string{callback}, Scopes: ceiling, Disabled: true},
		"ehr":    {Tenant: tenant, ID: "ehr", Kind: oauth.ClientSymmetric, RegisterLaunch: true},
	}
	w.loader = &authority.Loader{Policies: w, Proxies: w, Clock: w.clock}
	w.service = flow.New(flow.Deps{
		Tx: w, Read: w, Clients: w, Authority: w.loader, Record: w, Issuer: w, Clock: w.clock, Hasher: ids.Hasher{Key: []byte("k")},
		IssuerURL: issuerURL, Base: base, Organization: fhir.Reference{Type: "Organization", ID: "clinic"},
	})
	return w
}

// InTx commits by keeping the rows and rolls back by putting the old ones in
// their place.
func (w *world) InTx(_ context.Context, fn func(flow.Tx) error) error {
	before := w.rows.clone()
	err := fn(w)
	if err != nil {
		w.rows = before
	}
	return err
}

func (w *world) fail(statement string) error {
	if w.fails == statement {
		return errStore
	}
	return nil
}

func (w *world) CreateLaunch(_ context.Context, l oauth.Launch) error {
	w.launches[l.Hash] = l
	return w.fail("launch")
}

func (w *world) LaunchByHash(_ context.Context, _, hash string) (oauth.Launch, error) {
	if l, ok := w.launches[hash]; ok {
		return l, nil
	}
	return oauth.Launch{}, errs.New(errs.NotFound, "launch", "There is none.")
}

func (w *world) UseLaunch(_ context.Context, _, hash, id string, at time.Time) (bool, error) {
	l := w.launches[hash]
	if !l.Used.IsZero() {
		return false, nil
	}
	l.Used, l.Flow = at, id
	w.launches[hash] = l
	return true, w.fail("use-launch")
}

func (w *world) PutPending(_ context.Context, p oauth.Pending) error {
	w.pendings[p.ID] = p
	return w.fail("pending")
}

func (w *world) PendingByID(_ context.Context, _, name string) (oauth.Pending, error) {
	id, _, _ := strings.Cut(name, ".")
	if p, ok := w.pendings[id]; ok {
		return p, nil
	}
	if p, ok := w.carried[name]; ok {
		return p, nil
	}
	return oauth.Pending{}, errs.New(errs.NotFound, "pending", "There is none.")
}

// CarryPending lets the browser carry a request in the stories in which it does.
func (w *world) CarryPending(_ context.Context, p oauth.Pending) (string, error) {
	if w.carried == nil {
		return "", w.fail("carry")
	}
	p.Carried = p.ID + ".sealed"
	w.carried[p.Carried] = p
	return p.Carried, w.fail("carry")
}

func (w *world) FinishPending(_ context.Context, _, name, _ string, at time.Time) (bool, error) {
	id, _, _ := strings.Cut(name, ".")
	p := w.pendings[id]
	if !p.Done.IsZero() {
		return false, nil
	}
	p.Done = at
	w.pendings[id] = p
	return true, w.fail("finish")
}

func (w *world) CreateGrant(_ context.Context, g oauth.Grant) error {
	if !w.pendings[g.ID].Done.IsZero() || slices.ContainsFunc(w.grants, func(one oauth.Grant) bool { return one.ID == g.ID }) {
		return errs.New(errs.Conflict, "grant-exists", "There is one.")
	}
	w.grants = append(slices.Clone(w.grants), g)
	if g.Code != nil {
		w.codes++
	}
	return w.fail("grant")
}

func (w *world) CreateApproved(ctx context.Context, g oauth.Grant, a consent.Approval) error {
	if err := w.CreateGrant(ctx, g); err != nil {
		return err
	}
	rec, err := a.Record(g.Tenant)
	if err != nil {
		return err
	}
	w.approved = append(slices.Clone(w.approved), rec)
	return w.fail("consent")
}

func (w *world) AddNotice(_ context.Context, n outbox.Notice) error {
	w.notices = append(slices.Clone(w.notices), n)
	return w.fail("notice")
}

func (w *world) AppendAudit(_ context.Context, e audit.Event) error {
	w.events = append(slices.Clone(w.events), e)
	return w.fail("audit")
}

func (w *world) IssueCode(_ context.Context, _ oauth.Client, _ oauth.AuthorizeRequest, _ oauth.Grant) (string, oauth.Code, error) {
	return fmt.Sprintf("code-%d", w.codes+1), oauth.Code{}, w.fail("code")
}

func (w *world) ClientByID(_ context.Context, _, id string) (oauth.Client, error) {
	if c, ok := w.clients[id]; ok {
		return c, w.fail("client")
	}
	return oauth.Client{}, errs.New(errs.NotFound, "client", "There is none.")
}

func (w *world) Current(ctx context.Context, tenant, id string) (oauth.Client, error) {
	return w.ClientByID(ctx, tenant, id)
}

func (w *world) PersonByIdentity(_ context.Context, _ string, ref fhir.Reference) (identity.Person, error) {
	for _, p := range w.people {
		for _, id := range p.Identities {
			if id.Resource == ref {
				return p, nil
			}
		}
	}
	return identity.Person{}, errs.New(errs.NotFound, "person", "There is none.")
}

func (w *world) RelatedPersonByID(_ context.Context, _, id string) (proxy.RelatedPerson, error) {
	if rp, ok := w.related[id]; ok {
		return rp, nil
	}
	return proxy.RelatedPerson{}, errs.New(errs.NotFound, "related", "There is none.")
}

func (w *world) PolicyFor(_ context.Context, _, patient string) (*consent.Policy, error) {
	var list []consent.Consent
	for i, raw := range w.consents {
		c, err := consent.Parse([]byte(raw))
		if err != nil {
			return nil, err
		}
		c.Version = i + 1
		list = append(list, c)
	}
	return consent.Compile(patient, 1, list, consent.Options{}), nil
}

func (w *world) Patient(_ context.Context, id string) (upstream.Demographics, error) {
	if w.down {
		return upstream.Demographics{}, errs.New(errs.Upstream, "upstream", "It does not answer.")
	}
	if id == "gone" {
		return upstream.Demographics{}, errs.New(errs.NotFound, "patient", "There is none.")
	}
	return upstream.Demographics{ID: id, Name: strings.ToUpper(id[:1]) + id[1:]}, nil
}

func (w *world) FindPatients(_ context.Context, name string, _ int) ([]upstream.Demographics, bool, error) {
	var out []upstream.Demographics
	for _, id := range []string{"rosa", "noah", "joaquin"} {
		if name != "" && strings.HasPrefix(id, name) {
			out = append(out, upstream.Demographics{ID: id})
		}
	}
	return out, false, nil
}

func (w *world) CurrentEncounter(_ context.Context, patient string) (string, error) {
	return "enc-" + patient, nil
}

func (w *world) Search(_ context.Context, typ string, params url.Values, each func([]byte) error) error {
	if w.down {
		return errors.New("no answer")
	}
	for _, raw := range w.entries[typ] {
		if err := each([]byte(raw)); err != nil {
			return err
		}
	}
	return nil
}

// person makes an account that signed in just now with that assurance.
func (w *world) person(name string, role identity.Role, identities ...string) flow.Visitor {
	p := identity.Person{Tenant: tenant, ID: "p-" + name, Username: name, Name: name, Role: role}
	for _, text := range identities {
		ref, ok := fhir.ParseReference(text)
		if !ok {
			w.t.Fatal(text)
		}
		p.Identities = append(p.Identities, identity.Identity{Resource: ref, Verified: true})
	}
	w.people = append(w.people, p)
	amr := []string{"pwd"}
	if role.NeedsSecondFactor() {
		amr = append(amr, "otp", "mfa")
	}
	return flow.Visitor{Browser: "browser-1", Person: p, Session: identity.Session{
		Tenant: tenant, Hash: "session-" + name, PersonID: p.ID, AuthTime: w.clock.now, AMR: amr,
		Created: w.clock.now, Ends: w.clock.now.Add(8 * time.Hour),
	}}
}

func (w *world) rosa() flow.Visitor { return w.person("rosa", identity.RolePatient, "Patient/rosa") }

// relate lets a RelatedPerson act for a patient.
func (w *world) relate(id, patient string) {
	w.related[id] = proxy.RelatedPerson{
		Tenant: tenant, ID: id, Patient: patient, Active: true,
		Relationship: []fhir.Coding{{System: fhir.SystemRoleCode, Code: "DAU"}},
	}
}

type object = map[string]any

func coding(system, code string) []object {
	return []object{{"system": system, "code": code}}
}

// permit files a consent of the patient that lets a RelatedPerson see the
// types until then; category INFAO is view only, INFA is not.
func (w *world) permit(patient, related, category string, until time.Time, types ...string) {
	const actCode = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	purpose := coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", "FAMRQT")
	actor := []object{{"role": object{"coding": coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")}, "reference": object{"reference": "RelatedPerson/" + related}}}
	var classes []object
	for _, typ := range types {
		classes = append(classes, coding("http://hl7.org/fhir/resource-types", typ)...)
	}
	raw, err := json.Marshal(object{
		"resourceType": "Consent", "id": "c-" + related, "status": "active",
		"scope":      object{"coding": coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")},
		"category":   []object{{"coding": coding("http://loinc.org", "59284-0")}, {"coding": coding(actCode, category)}},
		"patient":    object{"reference": "Patient/" + patient},
		"performer":  []object{{"reference": "Patient/" + patient}},
		"dateTime":   start.AddDate(0, -1, 0).Format(time.RFC3339),
		"policy":     []object{{"uri": "https://portal.example.org/policy/proxy/designated/1"}},
		"policyRule": object{"coding": coding(actCode, "OPTINR")},
		"provision": object{
			"type": "permit", "actor": actor, "purpose": purpose, "class": classes,
			"period":        object{"start": start.AddDate(0, -1, 0).Format(time.RFC3339), "end": until.Format(time.RFC3339)},
			"securityLabel": coding(fhir.SystemConfidentiality, "N"),
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.consents = append(w.consents, string(raw))
}

// begin stores a request of the visitor's browser.
func (w *world) begin(who flow.Visitor, changes ...string) oauth.Pending {
	w.t.Helper()
	p, err := w.service.Start(w.t.Context(), tenant, request(changes...), who)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// at walks a stored request and wants it to stand at the step.
func (w *world) at(p oauth.Pending, who flow.Visitor, want flow.Step) oauth.Pending {
	w.t.Helper()
	step, p, err := w.service.Next(w.t.Context(), p, who)
	if err != nil || step != want {
		w.t.Fatalf("the request stands at %q (%v), want %q", step, err, want)
	}
	return p
}

// offer gives the consent page of a request.
func (w *world) offer(p oauth.Pending, who flow.Visitor) flow.Offer {
	w.t.Helper()
	o, err := w.service.Offer(w.t.Context(), p, who)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// everything ticks all rows of an offer.
func everything(o flow.Offer) flow.Ticks {
	t := flow.Ticks{Kinds: map[string][]string{}, Handle: o.Handle, Keep: flow.KeepQuarter}
	for _, k := range o.Kinds {
		t.Kinds[k.Type] = nil
	}
	for _, a := range o.Actions {
		t.Actions = append(t.Actions, a.Type)
	}
	return t
}

// allow answers a request after bending the ticks and gives the grant with
// what the app got.
func (w *world) allow(who flow.Visitor, bend func(*flow.Ticks), changes ...string) (oauth.Grant, url.Values) {
	w.t.Helper()
	p := w.at(w.begin(who, changes...), who, flow.StepConsent)
	t := everything(w.offer(p, who))
	if bend != nil {
		bend(&t)
	}
	to, err := w.service.Allow(w.t.Context(), p, who, t)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.grants[len(w.grants)-1], w.told(to)
}

// told reads what a URL of the app tells it.
func (w *world) told(to string) url.Values {
	w.t.Helper()
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, callback+"?") {
		w.t.Fatalf("%q does not lead to the app: %v", to, err)
	}
	return u.Query()
}

// refusal wants an error to be a refusal with that cause.
func refusal(t *testing.T, err error, code string) *flow.Refusal {
	t.Helper()
	var r *flow.Refusal
	if !errors.As(err, &r) || r.Err.Code != code {
		t.Fatalf("%v, want the refusal %s", err, code)
	}
	return r
}

// kinds of the events so far.
func (w *world) recorded() []audit.Kind {
	var out []audit.Kind
	for _, e := range w.events {
		out = append(out, e.Kind)
	}
	return out
}
