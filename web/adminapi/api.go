package adminapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/route"
)

// Reader is what the API reads.
type Reader interface {
	Clients(ctx context.Context, tenant string) ([]oauth.Client, error)
	GrantsOfPatient(ctx context.Context, tenant, patient string) ([]oauth.Grant, error)
	GrantByID(ctx context.Context, tenant, id string) (oauth.Grant, error)
	Audits(ctx context.Context, f audit.Filter) ([]audit.Event, error)
}

// Deps is what the API works with.
type Deps struct {
	Tenant      string
	Connections *oauth.Connections
	Read        Reader
	// AsOf says up to when the audit log is complete in Read.
	AsOf     func(ctx context.Context) (time.Time, error)
	Consents *consent.Service
	Proxies  *proxy.Service
	Brands   Brands
	Problem  *problem.Writer
	// Flights has the last requests of each client; ErrorDocs is the URL of the
	// pages of cause codes. Client gives a client.
	Flights   *flight.Recorder
	ErrorDocs string
	Client    func(ctx context.Context, tenant, id string) (oauth.Client, error)
	// Ledger gives proofs of the audit log, KeysOfLog its keys; Recorder takes
	// the events of looks at it.
	Ledger    audit.Ledger
	KeysOfLog func(ctx context.Context) (*audit.LogKeys, error)
	Recorder  audit.Recorder
	// Names are what AuditEvents call this server.
	Names fhirevent.Names
	// Guard lets only operators through.
	Guard func(http.Handler) http.Handler
	// Actor gives the client that asks.
	Actor  func(r *http.Request) string
	Origin func(r *http.Request) (network, requestID string)
	Clock  clock.Clock
}

// API serves /admin.
type API struct{ Deps }

// New makes the API.
func New(d Deps) *API { return &API{Deps: d} }

// maxBody is the greatest size of a resource that is filed, in bytes.
const maxBody = 1 << 20

// Routes lists what the package serves.
func (a *API) Routes() []route.Route {
	on := func(method, path string, phi route.Class, serve func(http.ResponseWriter, *http.Request) (any, error)) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Bearer, Scopes: oauth.ScopeOfArea(area(path)), PHI: phi, Limit: "admin",
			Owner: "web/adminapi", Handler: a.Guard(a.answer(serve)),
		}
	}
	return []route.Route{
		on("GET", "/admin/clients", route.NoPHI, a.clients),
		on("GET", "/admin/clients/{id}/requests", route.NoPHI, a.requests),
		on("GET", "/admin/grants", route.Identifiers, a.grants),
		on("POST", "/admin/grants/{id}/revoke", route.Identifiers, a.revoke),
		on("GET", "/admin/audit", route.Identifiers, a.audit),
		on("GET", "/admin/audit/checkpoint", route.NoPHI, a.checkpoint),
		on("GET", "/admin/audit/consistency", route.NoPHI, a.consistency),
		on("GET", "/admin/audit/{id}/proof", route.Identifiers, a.proof),
		on("GET", "/admin/consents", route.Record, a.consents),
		on("PUT", "/admin/consents/{id}", route.Record, a.fileConsent),
		on("POST", "/admin/consents/{id}/withdraw", route.Record, a.withdraw),
		on("PUT", "/admin/related-persons/{id}", route.Record, a.saveRelatedPerson),
		on("GET", "/admin/brands", route.NoPHI, a.brands),
		on("PUT", "/admin/brands", route.NoPHI, a.publishBrands),
		on("DELETE", "/admin/brands", route.NoPHI, a.withdrawBrands),
	}
}

// area gives the part of the API that a path belongs to.
func area(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/admin/"), "/")
	return name
}

// answer writes the value as JSON, or the error as problem+json.
func (a *API) answer(serve func(http.ResponseWriter, *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := serve(w, r)
		if err != nil {
			a.Problem.JSON(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(v)
	})
}

func (a *API) origin(r *http.Request) audit.Event {
	network, requestID := a.Origin(r)
	e := audit.Event{Tenant: a.Tenant, Time: a.Clock.Now(), Network: network, RequestID: requestID}
	if id := a.Actor(r); id != "" {
		// The client of an event is often the one that is acted upon.
		e.Detail = map[string]string{"administrator": id}
	}
	return e
}

func (a *API) clients(_ http.ResponseWriter, r *http.Request) (any, error) {
	list, err := a.Read.Clients(r.Context(), a.Tenant)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(c oauth.Client) bool { return !c.Deleted.IsZero() })
	for i := range list {
		// Hashes of secrets help nobody who may see this list.
		list[i].SecretHashes, list[i].Registration.TokenHash = nil, ""
	}
	return map[string]any{"clients": list}, nil
}

// grantView is a grant as operators see it.
type grantView struct {
	ID        string    `json:"id"`
	ClientID  string    `json:"client_id"`
	PersonID  string    `json:"person_id"`
	Capacity  string    `json:"capacity"`
	Acting    string    `json:"acting"`
	Patient   string    `json:"patient,omitempty"`
	Scopes    string    `json:"scope"`
	Topics    []string  `json:"topics,omitempty"`
	Consent   string    `json:"consent,omitempty"`
	Consents  []string  `json:"proxy_consents,omitempty"`
	Created   time.Time `json:"created"`
	Ends      time.Time `json:"ends"`
	Revoked   time.Time `json:"revoked,omitzero"`
	Reason    string    `json:"reason,omitempty"`
	IsOffline bool      `json:"offline"`
}

func viewOf(g oauth.Grant) grantView {
	return grantView{
		ID: g.ID, ClientID: g.ClientID, PersonID: g.PersonID, Capacity: string(g.Capacity.Kind), Acting: g.Capacity.Acting.String(),
		Patient: g.Record(), Scopes: g.Scopes, Topics: g.Topics, Consent: g.ConsentID, Consents: g.Consents,
		Created: g.Created, Ends: g.Ends, Revoked: g.Revoked, Reason: g.Reason, IsOffline: g.Offline,
	}
}

func (a *API) grants(_ http.ResponseWriter, r *http.Request) (any, error) {
	patient := r.URL.Query().Get("patient")
	if patient == "" {
		return nil, errs.New(errs.Invalid, "patient-missing", "Name the patient: ?patient=ID.")
	}
	list, err := a.Read.GrantsOfPatient(r.Context(), a.Tenant, patient)
	if err != nil {
		return nil, err
	}
	out := []grantView{}
	for _, g := range list {
		out = append(out, viewOf(g))
	}
	return map[string]any{"grants": out}, nil
}

// revoke ends a grant with its tokens and the Consent that recorded it.
func (a *API) revoke(_ http.ResponseWriter, r *http.Request) (any, error) {
	g, err := a.Read.GrantByID(r.Context(), a.Tenant, mux.Vars(r)["id"])
	if err != nil {
		return nil, err
	}
	if err := a.Connections.EndGrant(r.Context(), g, "ended-by-operator", a.origin(r)); err != nil {
		return nil, err
	}
	g, err = a.Read.GrantByID(r.Context(), a.Tenant, g.ID)
	return viewOf(g), err
}

// auditLimit is the greatest number of events one answer holds.
const auditLimit = 1000

// audit gives events as they are stored, or with format=fhir as FHIR R4
// AuditEvents (AR-08), newest first; before continues behind the last one. The header Mandate-As-Of says up to when they are
// complete: a replica may be a little behind.
func (a *API) audit(w http.ResponseWriter, r *http.Request) (any, error) {
	q := r.URL.Query()
	// Asked before the log is read, which then has at least as much.
	at, err := a.AsOf(r.Context())
	if err != nil {
		return nil, err
	}
	w.Header().Set("Mandate-As-Of", at.UTC().Format(time.RFC3339Nano))
	filter := audit.Filter{
		Patient: q.Get("patient"), GrantID: q.Get("grant"), PersonID: q.Get("person"),
		ClientID: q.Get("client_id"), Limit: auditLimit,
	}
	for _, kind := range q["kind"] {
		filter.Kinds = append(filter.Kinds, audit.Kind(kind))
	}
	if text := q.Get("before"); text != "" {
		if filter.Before, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return nil, errs.New(errs.Invalid, "before-malformed", "before is not a time such as 2026-01-31T12:00:00.000001Z.")
		}
	}
	events, err := audit.Log{Store: a.Read, Recorder: a.Recorder}.Read(r.Context(), filter, a.origin(r))
	if err != nil {
		return nil, err
	}
	if q.Get("format") != "fhir" {
		return map[string]any{"events": events}, nil
	}
	out := make([]json.RawMessage, len(events))
	for i, e := range events {
		if out[i], err = fhirevent.Map(e, a.Names); err != nil {
			return nil, err
		}
	}
	return map[string]any{"events": out}, nil
}

func (a *API) consents(_ http.ResponseWriter, r *http.Request) (any, error) {
	records, err := a.Consents.Search(r.Context(), consent.Filter{Tenant: a.Tenant, Patient: r.URL.Query().Get("patient")})
	if err != nil {
		return nil, err
	}
	out := []json.RawMessage{}
	for _, rec := range records {
		out = append(out, rec.JSON)
	}
	return map[string]any{"consents": out}, nil
}

func (a *API) fileConsent(w http.ResponseWriter, r *http.Request) (any, error) {
	raw, version, err := readResource(w, r)
	if err != nil {
		return nil, err
	}
	rec, err := a.Consents.File(r.Context(), consent.Filing{
		Tenant: a.Tenant, ID: mux.Vars(r)["id"], IfVersion: version, Raw: raw, Origin: a.origin(r),
	})
	return json.RawMessage(rec.JSON), err
}

func (a *API) withdraw(_ http.ResponseWriter, r *http.Request) (any, error) {
	rec, err := a.Connections.Withdraw(r.Context(), a.Tenant, mux.Vars(r)["id"], a.origin(r))
	return json.RawMessage(rec.JSON), err
}

func (a *API) saveRelatedPerson(w http.ResponseWriter, r *http.Request) (any, error) {
	raw, version, err := readResource(w, r)
	if err != nil {
		return nil, err
	}
	rp, err := a.Proxies.Save(r.Context(), proxy.Saving{
		Tenant: a.Tenant, ID: mux.Vars(r)["id"], IfVersion: version, Raw: raw, Origin: a.origin(r),
	})
	return json.RawMessage(rp.JSON), err
}

// readResource reads a body and the version of If-Match (W/"3"); 0 without.
func readResource(w http.ResponseWriter, r *http.Request) ([]byte, int, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, 0, errs.Wrap(err, errs.TooLarge, "body-too-large", "The resource is larger than is accepted.")
	}
	tag := r.Header.Get("If-Match")
	if tag == "" {
		return raw, 0, nil
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(tag, "W/"), `"`), `"`)
	version, err := strconv.Atoi(digits)
	if err != nil || version < 1 {
		return nil, 0, errs.New(errs.Invalid, "if-match-malformed", `If-Match names no version such as W/"3".`)
	}
	return raw, version, nil
}
