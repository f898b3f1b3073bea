package udap

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

// Registrar registers clients by software statement (UDP-15…23).
type Registrar struct {
	Trust *Trust
	Tx    txn.Runner[oauth.Tx]
	// Scopes is the ceiling of what clients may register for, and Offer what else
	// they may.
	Scopes string
	Offer  registration.Offer
}

// Call is one registration request.
type Call struct {
	Tenant string
	// Endpoint is the URL of the registration endpoint, which a statement must
	// name.
	Endpoint string
	Body     []byte
	// Network and RequestID go into the audit event.
	Network   string
	RequestID string
}

// request is the body of a registration request.
type request struct {
	Statement      string   `json:"software_statement"`
	Certifications []string `json:"certifications"`
	UDAP           string   `json:"udap"`
}

// Answer is what a registration tells (UDP-19). What was not assigned is left
// out.
type Answer struct {
	// Fresh says that the client was not registered before (201, not 200).
	Fresh bool `json:"-"`

	ClientID      string   `json:"client_id"`
	Issued        int64    `json:"client_id_issued_at,omitempty"`
	Statement     string   `json:"software_statement"`
	Name          string   `json:"client_name,omitempty"`
	RedirectURIs  []string `json:"redirect_uris,omitempty"`
	Contacts      []string `json:"contacts,omitempty"`
	LogoURI       string   `json:"logo_uri,omitempty"`
	ClientURI     string   `json:"client_uri,omitempty"`
	TosURI        string   `json:"tos_uri,omitempty"`
	PolicyURI     string   `json:"policy_uri,omitempty"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types,omitempty"`
	AuthMethod    string   `json:"token_endpoint_auth_method,omitempty"`
	Scope         string   `json:"scope,omitempty"`
	// DPoPBound and CertificateBound say to what its tokens are bound.
	DPoPBound        bool `json:"dpop_bound_access_tokens,omitempty"`
	CertificateBound bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

// Register registers a client, changes its registration or cancels it, with the
// audit event in one transaction; a refusal leaves an event too. Errors:
// errs.InvalidSoftwareStatement, errs.UnapprovedSoftwareStatement,
// errs.InvalidClientMetadata, errs.InvalidRedirectURI, errs.Unavailable.
func (r *Registrar) Register(ctx context.Context, call Call) (Answer, error) {
	asked, err := r.judge(ctx, call)
	if err == nil {
		var out Answer
		if out, err = r.store(ctx, call, asked); err == nil {
			return out, nil
		}
	}
	if k := errs.KindOf(err); k == errs.Unavailable || k == errs.Internal {
		return Answer{}, err
	}
	event := call.event(r.Trust.Clock.Now(), audit.ClientChanged, ClientID(asked.member.uri(), asked.statement.Issuer))
	event.Outcome, event.Reason = audit.MinorFailure, errs.As(err).Code
	refused := r.Tx.InTx(ctx, func(tx oauth.Tx) error { return tx.AppendAudit(ctx, event) })
	if refused != nil {
		return Answer{}, refused
	}
	return Answer{}, err
}

// judged is a request that was found good.
type judged struct {
	raw       string
	statement Statement
	member    Member
	// entry is the client as every way of registration would have it.
	entry oauth.Client
}

// uri names the community of a member, "" before one was found.
func (m Member) uri() string {
	if m.Community == nil {
		return ""
	}
	return m.Community.URI
}

// judge checks everything that needs no row.
func (r *Registrar) judge(ctx context.Context, call Call) (out judged, err error) {
	var req request
	if json.Unmarshal(call.Body, &req) != nil {
		return out, errMetadata("the body is not the JSON of a UDAP registration")
	}
	if req.UDAP != "1" {
		return out, errMetadata(`udap must be "1"`)
	}
	out.raw = req.Statement
	signed, err := ReadSigned(req.Statement)
	if err != nil {
		return out, as(err, errs.InvalidSoftwareStatement)
	}
	now := r.Trust.Clock.Now()
	if err = signed.Claims(&out.statement); err == nil {
		err = out.statement.Check([]string{call.Endpoint}, now)
	}
	if err == nil && !slices.Contains(URIs(signed.Certificates[0]), out.statement.Issuer) {
		err = errSubject()
	}
	if err != nil {
		return out, as(err, errs.InvalidSoftwareStatement)
	}
	if out.member, err = r.Trust.Verify(ctx, signed.Certificates, ""); err != nil {
		return out, as(err, errs.UnapprovedSoftwareStatement)
	}
	if out.statement.Cancels() {
		return out, nil
	}
	if err = out.statement.Judge(); err != nil {
		return out, err
	}
	if err = r.certified(ctx, out, req.Certifications, now); err != nil {
		return out, err
	}
	scopes, err := Negotiate(out.statement.Scope, r.Scopes, out.statement.ForItself())
	if err != nil {
		return out, err
	}
	var faults registration.Faults
	out.entry, faults = registration.Rules{Certified: true}.Check(out.statement.entry(scopes))
	if err = faults.Err(); err == nil {
		err = r.Offer.Refuse(oauth.Client{}, out.entry)
	}
	return out, err
}

// entry gives the statement as every way of registration writes it.
func (s Statement) entry(scopes string) registration.Entry {
	return registration.Entry{Metadata: registration.Metadata{
		RedirectURIs: s.RedirectURIs, AuthMethod: s.AuthMethod, GrantTypes: s.GrantTypes, ResponseTypes: s.ResponseTypes,
		Name: s.Name, ClientURI: s.ClientURI, LogoURI: s.LogoURI, Scope: scopes, Contacts: s.Contacts,
		TosURI: s.TosURI, PolicyURI: s.PolicyURI,
		DPoPBound: s.DPoPBound, Certificate: registration.Certificate{CertificateBound: s.CertificateBound},
	}}
}

// ClientID gives the client_id under which a community knows an issuer: the
// same statement made twice changes one registration and never makes two
// (UDP-21). It is "" for nobody.
func ClientID(community, issuer string) string {
	if community == "" || issuer == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(community + "\x00" + issuer))
	return "udap-" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// store writes what was judged.
func (r *Registrar) store(ctx context.Context, call Call, asked judged) (out Answer, err error) {
	now := r.Trust.Clock.Now()
	err = r.Tx.InTx(ctx, func(tx oauth.Tx) error {
		out, err = r.put(ctx, tx, call, asked, now)
		return err
	})
	return out, err
}

func (r *Registrar) put(ctx context.Context, tx oauth.Tx, call Call, asked judged, now time.Time) (Answer, error) {
	s := asked.statement
	err := tx.UseAssertion(ctx, call.Tenant, s.Issuer, s.ID, s.Until())
	if errs.Is(err, errs.Conflict) {
		return Answer{}, errs.Wrap(err, errs.InvalidSoftwareStatement, "udap-jwt-replayed", "The software statement was used before.")
	}
	if err != nil {
		return Answer{}, err
	}
	id := ClientID(asked.member.uri(), s.Issuer)
	have, err := tx.ClientByID(ctx, call.Tenant, id)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return Answer{}, err
	}
	known := err == nil
	back := have.UDAP != nil && have.UDAP.Cancelled
	if known && (have.UDAP == nil || have.Disabled && !back) {
		return Answer{}, errs.New(errs.UnapprovedSoftwareStatement, "udap-client-disabled", "An operator of this server disabled this client.")
	}
	live := known && !have.Disabled
	if s.Cancels() && !live {
		return Answer{}, errMetadata("grant_types is empty, and there is no registration to cancel")
	}
	c, kind, action := asked.client(have, call.Tenant, id, now), audit.ClientChanged, "U"
	if !known {
		kind, action = audit.ClientRegistered, "C"
	}
	if err := tx.PutClient(ctx, c); err != nil {
		return Answer{}, err
	}
	event := call.event(now, kind, id)
	event.Action = action
	event.Detail = map[string]string{"method": "udap", "scope": c.Scopes, "organization_name": c.Publisher}
	return asked.answer(c, !live), tx.AppendAudit(ctx, event)
}

// client gives the registration after the request, from that before it.
func (j judged) client(have oauth.Client, tenant, id string, now time.Time) oauth.Client {
	s := j.statement
	record := oauth.UDAP{Issuer: s.Issuer, Community: j.member.uri()}
	if have.UDAP != nil {
		record = *have.UDAP
	}
	record = record.Remember(X5C(j.member.Chain))
	if s.Cancels() {
		record.Cancelled, have.UDAP = true, &record
		have.Disabled, have.Epoch, have.GrantsFrom = true, have.Epoch+1, now
		return have
	}
	c := j.entry
	c.Tenant, c.ID, c.Created, c.Epoch, c.GrantsFrom = tenant, id, now, have.Epoch, have.GrantsFrom
	// The certificate says who it is, and that is what a person would look for.
	c.Registration = oauth.Registration{By: oauth.RegisteredByUDAP, Asked: now, Authentic: now, Approved: now}
	if subject := j.member.Leaf().Subject; len(subject.Organization) > 0 {
		c.Publisher = subject.Organization[0]
	}
	if have.ID != "" {
		c.Created, c.Registration = have.Created, have.Registration
		c.Registration.Why = ""
		if have.Kind == c.Kind {
			// What it is asked for its security, a statement does not undo.
			have.Hold(&c)
		} else {
			// What was given to the one is not for the other.
			c.Epoch, c.GrantsFrom = c.Epoch+1, now
		}
	}
	record.Cancelled = false
	c.UDAP = &record
	return c
}

func (j judged) answer(c oauth.Client, fresh bool) Answer {
	s := j.statement
	if s.Cancels() {
		return Answer{ClientID: c.ID, Statement: j.raw, GrantTypes: []string{}}
	}
	return Answer{
		Fresh: fresh, ClientID: c.ID, Issued: c.Created.Unix(), Statement: j.raw, Name: c.Name, RedirectURIs: c.RedirectURIs,
		Contacts: c.Contacts, LogoURI: c.LogoURI, ClientURI: c.ClientURI, TosURI: c.TosURI, PolicyURI: c.PolicyURI,
		GrantTypes: s.GrantTypes, ResponseTypes: s.ResponseTypes, AuthMethod: s.AuthMethod, Scope: c.Scopes,
		DPoPBound: c.DPoPBound, CertificateBound: c.CertificateBound,
	}
}

func (c Call) event(now time.Time, kind audit.Kind, id string) audit.Event {
	return audit.Event{
		Tenant: c.Tenant, Time: now, Kind: kind, Action: "E", Outcome: audit.Success, ClientID: id,
		Network: c.Network, RequestID: c.RequestID,
	}
}
