package scim

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity/directory"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/route"
)

const (
	// Path is where the protocol begins.
	Path    = "/scim/v2"
	owner   = "web/scim"
	maxBody = 256 << 10
	// maxPlace is the furthest place of a list that can be asked for.
	maxPlace = 1_000_000
)

// Users does the acts on users; directory.Service is one.
type Users interface {
	Finder
	Create(ctx context.Context, c directory.Caller, body map[string]any) (directory.User, error)
	Replace(ctx context.Context, c directory.Caller, id string, body map[string]any) (directory.User, error)
	Change(ctx context.Context, c directory.Caller, id string, body map[string]any) (directory.User, error)
	Delete(ctx context.Context, c directory.Caller, id string) error
}

// Finder reads users.
type Finder interface {
	One(ctx context.Context, c directory.Caller, id string) (directory.User, error)
	Find(ctx context.Context, c directory.Caller, q directory.Query) (directory.Page, error)
}

// Groups reads groups and changes who belongs to them; directory.Service is one.
type Groups interface {
	fixedGroups
	OneGroup(ctx context.Context, c directory.Caller, id string) (directory.Members, error)
	AllGroups(ctx context.Context, c directory.Caller, f *directory.Filter, members bool) ([]directory.Members, error)
	ReplaceGroup(ctx context.Context, c directory.Caller, id string, body map[string]any) (directory.Members, error)
	ChangeGroup(ctx context.Context, c directory.Caller, id string, body map[string]any) (directory.Members, error)
}

// fixedGroups says why groups are neither made nor deleted.
type fixedGroups interface {
	MakeGroup(ctx context.Context, c directory.Caller, body map[string]any) error
	DropGroup(ctx context.Context, c directory.Caller, id string) error
}

// Deps is what the handlers work with.
type Deps struct {
	Tenant string
	// Issuer is the address of the server, before Path; Docs that of a page for people.
	Issuer, Docs string
	Users        Users
	Groups       Groups
	Problem      *problem.Writer
	// Guard lets only directories through, whose client By names in an audit event;
	// Scope is what they need.
	Guard func(http.Handler) http.Handler
	Scope string
	By    func(r *http.Request) audit.Event
}

// answer is what is told: a body, and its version where it has one.
type answer struct {
	status        int
	body          any
	version, link string
}

type handler func(d Deps, c directory.Caller, r *http.Request, body map[string]any) (answer, error)

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	var out []route.Route
	on := func(method, path string, h handler) {
		out = append(out, route.Route{
			Method: method, Path: Path + path, Auth: route.Bearer, Scopes: d.Scope, PHI: route.Identifiers, Owner: owner,
			Handler: d.Guard(d.serve(h)),
		})
	}
	on("GET", "/Users", findUsers)
	on("POST", "/Users", createUser)
	on("GET", "/Users/{id}", oneUser)
	on("PUT", "/Users/{id}", replaceUser)
	on("PATCH", "/Users/{id}", changeUser)
	on("DELETE", "/Users/{id}", deleteUser)
	on("GET", "/Groups", findGroups)
	on("POST", "/Groups", makeGroup)
	on("GET", "/Groups/{id}", oneGroup)
	on("PUT", "/Groups/{id}", replaceGroup)
	on("PATCH", "/Groups/{id}", changeGroup)
	on("DELETE", "/Groups/{id}", dropGroup)
	on("GET", "/ServiceProviderConfig", configuration)
	on("GET", "/ResourceTypes", resourceTypes)
	on("GET", "/ResourceTypes/{id}", resourceType)
	on("GET", "/Schemas", schemas)
	on("GET", "/Schemas/{id}", schema)
	for _, m := range []string{"GET", "PUT", "PATCH", "POST", "DELETE"} {
		on(m, "/Me", refused("The token of a directory is that of no person."))
	}
	on("POST", "/Bulk", refused("Bulk requests are not taken; send one request for each change."))
	for _, at := range []string{"", "/Users", "/Groups"} {
		on("POST", at+"/.search", refused("Searches are sent with GET."))
	}
	return out
}

func refused(why string) handler {
	return func(Deps, directory.Caller, *http.Request, map[string]any) (answer, error) {
		return answer{}, errs.New(errs.NotSupported, "scim-not-offered", why)
	}
}

// serve reads a request and writes its answer.
func (d Deps) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := directory.Caller{Tenant: d.Tenant, Base: d.Issuer + Path, By: d.By(r), Match: r.Header.Get("If-Match")}
		body, err := d.body(w, r)
		var a answer
		if err == nil {
			a, err = h(d, c, r, body)
		}
		if err != nil {
			d.Problem.SCIM(w, r, err)
			return
		}
		d.write(w, r, a)
	})
}

// body reads what a request brings. A search refuses nothing that it does not read.
func (d Deps) body(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodDelete || strings.HasSuffix(r.URL.Path, "/Bulk") || strings.HasSuffix(r.URL.Path, "/.search") {
		return nil, nil //nolint:nilnil // no body is read
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != problem.SCIMMedia && media != "application/json" {
		return nil, errs.New(errs.UnsupportedMedia, "scim-media", "The body must be application/scim+json or application/json.")
	}
	raw, err := strictjson.Body(w, r, maxBody)
	if err != nil {
		return nil, err
	}
	return directory.Object(raw)
}

func (d Deps) write(w http.ResponseWriter, r *http.Request, a answer) {
	problem.NoStore(w)
	h := w.Header()
	if a.version != "" {
		h.Set("ETag", a.version)
	}
	if seen := r.Header.Get("If-None-Match"); r.Method == http.MethodGet && seen != "" && a.version != "" && directory.Matches(seen, a.version) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if a.link != "" {
		h.Set("Location", a.link)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	h.Set("Content-Type", problem.SCIMMedia)
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

// shown leaves out what was not asked for (RFC 7644 §3.9). Errors: errs.Invalid with
// code scim-page for both parameters at once.
func shown(r *http.Request, s *directory.Schema, v any) (any, error) {
	q := r.URL.Query()
	wanted, unwanted := names(q.Get("attributes")), names(q.Get("excludedAttributes"))
	if len(wanted) == 0 && len(unwanted) == 0 {
		return v, nil
	}
	if len(wanted) > 0 && len(unwanted) > 0 {
		return nil, errs.New(errs.Invalid, "scim-page", "Of attributes and excludedAttributes one at most is given.")
	}
	return directory.Shown(s, v, wanted, unwanted)
}

func names(list string) (out []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// list is a ListResponse (RFC 7644 §3.4.2).
type list struct {
	Schemas   []string `json:"schemas"`
	Total     int      `json:"totalResults"`
	Start     int      `json:"startIndex"`
	PerPage   int      `json:"itemsPerPage"`
	Resources []any    `json:"Resources,omitempty"`
}

func listed(total, start int, all []any) answer {
	return answer{status: http.StatusOK, body: list{[]string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, total, start, len(all), all}}
}

// asked reads the parameters of a search. Errors: errs.Invalid with code scim-sort,
// scim-page or scim-filter.
func asked(r *http.Request, s *directory.Schema) (q directory.Query, err error) {
	given := r.URL.Query()
	if given.Has("sortBy") || given.Has("sortOrder") {
		return q, errs.New(errs.Invalid, "scim-sort", "Sorting is not offered (see ServiceProviderConfig): lists are in the order in which accounts were made.")
	}
	if q.Start, err = number(given.Get("startIndex"), 1); err != nil {
		return q, err
	}
	if q.Count, err = number(given.Get("count"), directory.DefaultCount); err != nil {
		return q, err
	}
	q.Start, q.Count = min(max(q.Start, 1), maxPlace), min(max(q.Count, 0), directory.MaxCount)
	if given.Has("filter") {
		q.Filter, err = directory.ParseFilter(s, given.Get("filter"))
	}
	return q, err
}

func number(text string, none int) (int, error) {
	if text == "" {
		return none, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, errs.Wrap(err, errs.Invalid, "scim-page", "startIndex and count are whole numbers.")
	}
	return n, nil
}

func id(r *http.Request) string { return mux.Vars(r)["id"] }
