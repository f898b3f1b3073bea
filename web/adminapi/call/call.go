package call

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/route"
)

// Desk is what every operation needs.
type Desk struct {
	Tenant  string
	Problem *problem.Writer
	// Guard lets only operators through.
	Guard func(http.Handler) http.Handler
	// Actor gives the client that asks, "" for none.
	Actor  func(r *http.Request) string
	Origin func(r *http.Request) (network, requestID string)
	Clock  clock.Clock
}

// Spec names an operation. Owner is the package that declares it; Status is 200
// when left out.
type Spec struct {
	Method, Path, ID, Summary, Detail, Owner string
	PHI                                      route.Class
	Status                                   int
	Match, Tag                               bool
	Headers                                  map[string]string
}

// Resource is a FHIR resource as it stands; it may be as large as maxResource
// bytes, a body of another type as maxBody.
type Resource json.RawMessage

const (
	maxResource = 1 << 20
	maxBody     = 128 << 10
)

// MarshalJSON gives the resource as it stands.
func (r Resource) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }

// In is one request: its parameters Q and body B, read as they are declared.
type In[Q, B any] struct {
	// ID is the id of the path.
	ID    string
	Query Q
	Body  B
	// Match is the version of If-Match without its marks, "" without.
	Match string
	// By prepares the audit event: the administrator, from where, when.
	By audit.Event
	// Out are the headers of the answer.
	Out http.Header
}

// Version gives If-Match as a number, 0 without. Errors: errs.Invalid with code
// if-match-malformed.
func (in *In[Q, B]) Version() (int, error) {
	if in.Match == "" {
		return 0, nil
	}
	version, err := strconv.Atoi(in.Match)
	if err != nil || version < 1 {
		return 0, errMatch()
	}
	return version, nil
}

// Tag names the version of what the answer holds.
func (in *In[Q, B]) Tag(version string) { in.Out.Set("ETag", `W/"`+version+`"`) }

// On declares an operation: the route, with its description.
func On[Q, B, A any](d Desk, s Spec, do func(ctx context.Context, in *In[Q, B]) (A, error)) route.Route {
	if s.Status == 0 {
		s.Status = http.StatusOK
	}
	described := &route.Operation{
		ID: s.ID, Summary: s.Summary, Detail: s.Detail, Status: s.Status, Match: s.Match, Tag: s.Tag, Headers: s.Headers,
		Query: route.TypeOf[Q](), Body: route.TypeOf[B](), Answer: route.TypeOf[A](),
	}
	return route.Route{
		Method: s.Method, Path: s.Path, Auth: route.Bearer, Scopes: oauth.ScopeOfArea(area(s.Path)), PHI: s.PHI, Limit: "admin",
		Owner: s.Owner, Operation: described, Handler: d.Guard(serve(d, s, do)),
	}
}

// area gives the part of the API that a path belongs to.
func area(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/admin/"), "/")
	return name
}

func serve[Q, B, A any](d Desk, s Spec, do func(ctx context.Context, in *In[Q, B]) (A, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := &In[Q, B]{ID: mux.Vars(r)["id"], Out: w.Header(), By: d.by(r)}
		err := in.read(w, r, s.Match)
		var answer A
		if err == nil {
			answer, err = do(r.Context(), in)
		}
		if err != nil {
			d.Problem.JSON(w, r, err)
			return
		}
		problem.NoStore(w)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(s.Status)
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// by prepares the audit event of a request.
func (d Desk) by(r *http.Request) audit.Event {
	network, requestID := d.Origin(r)
	e := audit.Event{Tenant: d.Tenant, Time: d.Clock.Now(), Network: network, RequestID: requestID}
	if id := d.Actor(r); id != "" {
		// The client of an event is often the one that is acted upon.
		e.Detail = map[string]string{"administrator": id}
	}
	return e
}

func (in *In[Q, B]) read(w http.ResponseWriter, r *http.Request, match bool) (err error) {
	if err = readQuery(r.URL.RawQuery, &in.Query); err != nil {
		return err
	}
	if tag := r.Header.Get("If-Match"); match && tag != "" {
		if in.Match, err = versionOf(tag); err != nil {
			return err
		}
	}
	return readBody(w, r, &in.Body)
}

// versionOf takes the marks off an entity tag, weak or not: W/"3" is 3.
func versionOf(tag string) (string, error) {
	bare := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(tag, "W/"), `"`), `"`)
	if bare == "" || bare == "*" || strings.ContainsAny(bare, `", `) {
		return "", errMatch()
	}
	return bare, nil
}

func errMatch() error {
	return errs.New(errs.Invalid, "if-match-malformed", `If-Match names no version such as W/"3".`)
}

// readBody reads a body strictly: an operator should hear of a member that would
// have no effect.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	switch into := into.(type) {
	case *route.Empty:
		return nil
	case *Resource:
		raw, err := strictjson.Body(w, r, maxResource)
		*into = raw
		return err
	}
	raw, err := strictjson.Body(w, r, maxBody)
	if err != nil {
		return err
	}
	if err := strictjson.Read(raw, into); err != nil {
		return errs.Wrap(err, errs.Invalid, "body-malformed", "The body is not the JSON that is wanted here, or has a member that is not known; see /docs/openapi.json.")
	}
	return nil
}
