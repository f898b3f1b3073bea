package apidoc

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/route"
)

// API is what the document says of the API as a whole.
type API struct {
	Title, Version, Description string
	// Issuer is the URL below which the paths lie, TokenURL where tokens come
	// from; Docs is a page for readers.
	Issuer, TokenURL, Docs string
	// Scopes are those of the guards with what each opens.
	Scopes map[string]string
}

// The ways to authenticate.
const (
	schemeToken = "accessToken"
	schemeBasic = "clientSecret"
	problemRef  = "#/components/responses/Problem"
	media       = "application/json"
)

// Build makes the document of all routes that are described. Errors name the
// route whose description is wrong.
func Build(api API, routes []route.Route) (*Document, error) {
	b := &builder{api: api, schemas: newSchemas(), ids: map[string]bool{}}
	doc := &Document{
		OpenAPI: "3.1.1", Info: Info{api.Title, api.Version, api.Description}, Servers: []Server{{api.Issuer}},
		Paths: map[string]map[string]*Operation{},
	}
	if api.Docs != "" {
		doc.Docs = &External{URL: api.Docs}
	}
	for _, r := range routes {
		if r.Operation == nil {
			continue
		}
		op, err := b.operation(r)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
		if doc.Paths[r.Path] == nil {
			doc.Paths[r.Path] = map[string]*Operation{}
		}
		doc.Paths[r.Path][strings.ToLower(r.Method)] = op
		if tag := (Tag{op.Tags[0]}); !slices.Contains(doc.Tags, tag) {
			doc.Tags = append(doc.Tags, tag)
		}
	}
	slices.SortFunc(doc.Tags, func(x, y Tag) int { return strings.Compare(x.Name, y.Name) })
	return doc, b.components(doc)
}

type builder struct {
	api     API
	schemas *schemas
	ids     map[string]bool
}

func (b *builder) operation(r route.Route) (*Operation, error) {
	o := r.Operation
	if o.ID == "" || o.Summary == "" || b.ids[o.ID] {
		return nil, fmt.Errorf("the operation id %q or the summary is missing, or the id is there twice", o.ID)
	}
	b.ids[o.ID] = true
	security, err := b.security(r)
	if err != nil {
		return nil, err
	}
	op := &Operation{
		ID: o.ID, Summary: o.Summary, Description: o.Detail, Tags: []string{tagOf(r.Path)}, Security: security, Class: string(r.PHI),
		Responses: map[string]*Response{"default": {Ref: problemRef}, "401": {Ref: problemRef}, "403": {Ref: problemRef}},
	}
	if op.Parameters, err = b.parameters(r); err != nil {
		return nil, err
	}
	if o.Body != nil {
		schema, err := b.schemas.of(o.Body)
		if err != nil {
			return nil, err
		}
		kind := o.Media
		if kind == "" {
			kind = media
		}
		op.Body = &Body{Required: true, Content: map[string]Media{kind: {schema}}}
	}
	op.Responses[strconv.Itoa(o.Status)], err = b.answer(o)
	return op, err
}

// tagOf gives the area of a path.
func tagOf(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if parts[0] == "admin" && len(parts) > 1 {
		return parts[1]
	}
	return parts[0]
}

func (b *builder) security(r route.Route) ([]map[string][]string, error) {
	switch r.Auth {
	case route.Bearer:
		if _, known := b.api.Scopes[r.Scopes]; !known {
			return nil, fmt.Errorf("the scope %q is not described", r.Scopes)
		}
		return []map[string][]string{{schemeToken: {r.Scopes}}}, nil
	case route.Client:
		// The empty one stands for an assertion in the body.
		return []map[string][]string{{schemeBasic: {}}, {}}, nil
	}
	return nil, fmt.Errorf("the authentication %q is not described", r.Auth)
}

func (b *builder) parameters(r route.Route) ([]Parameter, error) {
	var out []Parameter
	for rest := r.Path; ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			break
		}
		name, behind, _ := strings.Cut(after, "}")
		out = append(out, Parameter{Name: name, In: "path", Required: true, Schema: &jsonschema.Schema{Type: "string"}})
		rest = behind
	}
	if q := r.Operation.Query; q != nil {
		if err := b.schemas.use(q); err != nil {
			return nil, err
		}
		schema, err := b.schemas.infer(q)
		if err != nil {
			return nil, err
		}
		for _, name := range schema.PropertyOrder {
			p := schema.Properties[name]
			one := Parameter{Name: name, In: "query", Required: slices.Contains(schema.Required, name), Description: p.Description, Schema: p}
			p.Description = ""
			out = append(out, one)
		}
	}
	if r.Operation.Match {
		out = append(out, Parameter{
			Name: "If-Match", In: "header", Schema: &jsonschema.Schema{Type: "string"},
			Description: "The ETag that the caller last saw: the change is made only in place of that version.",
		})
	}
	return out, nil
}

func (b *builder) answer(o *route.Operation) (*Response, error) {
	out := &Response{Description: http.StatusText(o.Status) + "."}
	for name, text := range o.Headers {
		out.header(name, text)
	}
	if o.Tag {
		out.header("ETag", "The version, for If-Match.")
	}
	if o.Answer == nil {
		return out, nil
	}
	schema, err := b.schemas.of(o.Answer)
	out.Content = map[string]Media{media: {schema}}
	return out, err
}

func (r *Response) header(name, text string) {
	if r.Headers == nil {
		r.Headers = map[string]Header{}
	}
	r.Headers[name] = Header{Description: text, Schema: &jsonschema.Schema{Type: "string"}}
}

func (b *builder) components(doc *Document) error {
	told, err := b.schemas.of(reflect.TypeFor[problem.Details]())
	if err != nil {
		return err
	}
	refused, err := b.schemas.of(reflect.TypeFor[problem.Refusal]())
	if err != nil {
		return err
	}
	doc.Components = Components{
		Responses: map[string]*Response{"Problem": {
			Description: "A refusal, with a stable cause code and the address of the page that explains it. " +
				"A client that does not prove who it is at an OAuth endpoint is told in the form of RFC 6749.",
			Content: map[string]Media{"application/problem+json": {told}, media: {refused}},
		}},
		SecuritySchemes: map[string]*SecurityScheme{
			schemeToken: {
				Type: "oauth2", Flows: &Flows{Flow{b.api.TokenURL, b.api.Scopes}},
				Description: "An access token that a backend service got for itself with a signed assertion (private_key_jwt), " +
					"with the scope of the area. It may be bound to a key (DPoP, mTLS).",
			},
			schemeBasic: {
				Type: "http", Scheme: "basic",
				Description: "client_secret_basic. A client with keys leaves the header out and sends client_assertion_type and client_assertion in the body.",
			},
		},
	}
	doc.Components.Schemas, err = b.schemas.all()
	return err
}
