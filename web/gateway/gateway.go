package gateway

import (
	"context"
	"hash/maphash"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// Bearer is what an access token stands for, as of now.
type Bearer struct {
	Client oauth.Client
	// Grant is zero for a client that acts for itself.
	Grant oauth.Grant
	// Scopes is the scope string of this very token, at most the grant's.
	Scopes string
	// JTI names the token in the audit log.
	JTI string
	// System says that the client acts for itself.
	System bool
	// Acted says who acts with a token that was handed on, for the audit log; nil
	// for any other. Client is then not the one to which the grant was given.
	Acted map[string]string
}

// Verifier checks access tokens.
type Verifier interface {
	// VerifyAccessToken returns errs.Unauthenticated for a token that is not
	// or no longer good, errs.Unavailable.
	VerifyAccessToken(ctx context.Context, tenant, raw string) (Bearer, error)
	// Presented does so for a token that a request presents, with the proof that
	// it may, once for each request. The nonce is what the client is told to use
	// from now on, empty for none. It returns errs.InvalidDPoPProof,
	// errs.UseDPoPNonce and errs.RateLimited too.
	Presented(ctx context.Context, tenant string, p oauth.Presentation) (b Bearer, nonce string, err error)
}

// Origins knows from where registered apps run.
type Origins interface {
	// Registered reports whether some client may call from the origin.
	Registered(ctx context.Context, tenant, origin string) (bool, error)
}

// Validator checks a resource against FHIR R4; fhir/codec is one.
type Validator interface {
	// ValidateType returns errs.Invalid naming the elements at fault.
	ValidateType(raw []byte, typ string) error
}

// Problems writes refusals; problem.Writer is one.
type Problems interface {
	FHIR(w http.ResponseWriter, r *http.Request, err error)
	Outcome(err error) any
	Status(err error) int
}

// Owned serves the types that Mandate keeps itself; fhirapi.Service is one.
type Owned interface {
	Do(ctx context.Context, c fhirapi.Call) (fhirapi.Answer, error)
}

// OAuth is what the CapabilityStatement says about authorization: the
// addresses and capabilities of the discovery document.
type OAuth struct {
	Authorize, Token, Introspect, Revoke, Manage string
	Capabilities                                 []string
}

// Deps is what the gateway is made of. All fields are required but OAuth, Log,
// RequestID, Address, URL, Certificate, Admit, Spike, Spiked,
// Parameters, Notice, Wrote and Modes.
type Deps struct {
	Tenant string
	// Base is the public FHIR base URL, without a trailing slash; BasePath is
	// its path, which requests arrive with.
	Base, BasePath string
	OAuth          OAuth
	Verifier       Verifier
	Authority      *authority.Loader
	Upstream       *upstream.Client
	Owned          Owned
	Validator      Validator
	// Definitions are served to anybody; there may be none.
	Definitions []fhirevent.Definition
	// Recorder takes the event of every interaction.
	Recorder audit.Recorder
	Origins  Origins
	Problems Problems
	Clock    clock.Clock
	IDs      ids.Source
	// Hasher keys the handles in page and export links.
	Hasher ids.Hasher
	// RequestID and Address tell the request's id and the client's network
	// address.
	RequestID func(*http.Request) string
	Address   func(*http.Request) string
	// URL tells the address of a request as its client knows it.
	URL func(*http.Request) string
	// Certificate gives the thumbprint of the client's TLS certificate; nil
	// knows none.
	Certificate func(*http.Request) string
	// Admit counts a request of whoever presented a good token; nil counts none.
	// Errors: errs.RateLimited, which knows how long to wait.
	Admit func(ctx context.Context, tenant string, c Caller) error
	// Spike is how many records one client may export in an hour at all nodes
	// together before an event tells of it; 0 tells of none.
	Spike int
	// Spiked takes one of so many permits an hour of a client, and reports whether
	// it is the first one too many of its hour; nil counts none.
	Spiked func(ctx context.Context, tenant, client string, perHour int) bool
	// Parameters are search parameters that the upstream has beside those of R4:
	// "Type:name", or "*:name" for every type.
	Parameters []string
	// Restricted gives the log-in that people need behind a grant in a capacity to have
	// what is particularly private; nil asks for none.
	Restricted func(fhir.CapacityKind) oauth.Demand
	// Notice gives the statement of 42 CFR 2.32 that the law in force words; nil or
	// an empty one takes that of the rule itself.
	Notice func(at time.Time) string
	// Wrote keeps who wrote for a patient; nil keeps nothing. Errors: errs.Unavailable.
	Wrote func(context.Context, Writing) error
	// Modes say how strictly the rules are applied; zero enforces all.
	Modes access.Modes
	Log   *slog.Logger
}

// Gateway serves everything below the FHIR base. It is safe for concurrent
// use.
type Gateway struct {
	d          Deps
	capability capability
	spikes     spikes
	mentions   mentions
	// bases are what the upstream calls itself.
	bases [][]byte
}

// New makes a gateway.
func New(d Deps) *Gateway {
	none := func(*http.Request) string { return "" }
	if d.RequestID == nil {
		d.RequestID = none
	}
	if d.Address == nil {
		d.Address = none
	}
	if d.Certificate == nil {
		d.Certificate = none
	}
	if d.URL == nil {
		d.URL = func(r *http.Request) string { return d.Base + strings.TrimPrefix(r.URL.EscapedPath(), d.BasePath) }
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Gateway{d: d, bases: basesOf(d.Upstream), mentions: mentions{seed: maphash.MakeSeed()}}
}

// maxBody is the largest request body that is read, in bytes; what parses may
// be smaller.
const maxBody = 16<<20 + 1

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), g.d.BasePath)
	if !ok || path != "" && path[0] != '/' {
		g.d.Problems.FHIR(w, r, errAbsent)
		return
	}
	if g.preflight(w, r, path) {
		return
	}
	if path == "/metadata" {
		allow(w, r)
		g.metadata(w, r)
		return
	}
	if g.definition(w, r, path) {
		return
	}
	if strings.HasPrefix(path, "/.well-known/") {
		// Discovery is for who is not registered yet, so what is not served is
		// told to anybody (UDP-01).
		allow(w, r)
		g.d.Problems.FHIR(w, r, errAbsent)
		return
	}
	x, err := g.authenticate(w, r)
	if err != nil {
		g.refuse(w, r, err)
		return
	}
	g.allowClient(w, r, x.bearer.Client)
	leave, err := g.d.Upstream.Admit(x.ctx)
	if err != nil {
		g.d.Problems.FHIR(w, r, (&act{x: x}).conclude(err))
		return
	}
	defer leave()
	out := compressed(w, r)
	defer x.room.leave()
	defer out.close()
	x.to, w = out, out
	if handle, ok := strings.CutPrefix(path, exportPath); ok {
		x.export(w, r, handle)
		return
	}
	ans, err := x.handle(r, path)
	x.finish(w, r, ans, err)
}

// finish answers, or ends an answer that had begun and cannot be completed.
func (x *exchange) finish(w http.ResponseWriter, r *http.Request, ans answer, err error) {
	switch {
	case err == nil:
		ans.write(w, r)
	case x.begun:
		x.to.broken()
		x.breakOff(w)
	default:
		x.g.d.Problems.FHIR(w, r, err)
	}
}

// exchange is one HTTP request with what stands behind its token. What it
// remembers about resources never outlives it.
type exchange struct {
	g      *Gateway
	ctx    context.Context
	token  string
	bearer Bearer
	// in holds grant and standing; request or resource are added for each
	// decision.
	in     access.Input
	origin audit.Event
	memory memory
	// to takes an answer part by part, nil for one that is embedded in another;
	// begun says that a part has left.
	to    *squeezed
	begun bool
	room  room
	// coming is about how many bytes leave of what is being read.
	coming int
}

// handle parses the request and answers it.
func (x *exchange) handle(r *http.Request, path string) (answer, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return answer{}, errs.Wrap(err, errs.Invalid, "body-unreadable", "The body could not be read.")
	}
	header, content := r.Header, native(r, path)
	if content {
		header = header.Clone()
		header.Set("Accept", mediaFHIR)
		x.to = nil
	}
	req, err := rest.Parse(rest.Incoming{Method: r.Method, Path: path, RawQuery: r.URL.RawQuery, Header: header, Body: body})
	if err == nil {
		err = localRequest(&req, x.g.d.Base)
	}
	if err != nil {
		a := &act{x: x, req: rest.Request{}}
		return answer{}, a.conclude(err)
	}
	ans, err := x.serve(req)
	if err == nil && content {
		return asContent(r, ans)
	}
	return ans, err
}

// localRequest makes references to our own base relative, in search values
// and in resources; what was judged on reading is read again. Foreign ones
// stay what they are (SMART TRP-23).
func localRequest(r *rest.Request, base string) error {
	localQuery(r.Query, base)
	localQuery(r.IfNoneExist, base)
	if local := localise(r.Body, base, ""); len(local) != len(r.Body) {
		res, err := view.Scan(local)
		if err != nil {
			return err
		}
		r.Body, r.Resource = local, &res
	}
	for i := range r.Entries {
		if err := localRequest(&r.Entries[i].Request, base); err != nil {
			return err
		}
	}
	return nil
}
