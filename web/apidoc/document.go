package apidoc

import "github.com/google/jsonschema-go/jsonschema"

// Document is an OpenAPI 3.1 document.
type Document struct {
	OpenAPI    string                           `json:"openapi"`
	Info       Info                             `json:"info"`
	Servers    []Server                         `json:"servers"`
	Docs       *External                        `json:"externalDocs,omitempty"`
	Tags       []Tag                            `json:"tags"`
	Paths      map[string]map[string]*Operation `json:"paths"`
	Components Components                       `json:"components"`
}

// Info names the API.
type Info struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

// Server is where the API is.
type Server struct {
	URL string `json:"url"`
}

// External is a page elsewhere.
type External struct {
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
}

// Tag is one area of the API.
type Tag struct {
	Name string `json:"name"`
}

// Operation is one method on one path. Class says which data it may touch, in
// the words of "mandate routes".
type Operation struct {
	ID          string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	Tags        []string              `json:"tags"`
	Security    []map[string][]string `json:"security"`
	Parameters  []Parameter           `json:"parameters,omitempty"`
	Body        *Body                 `json:"requestBody,omitempty"`
	Responses   map[string]*Response  `json:"responses"`
	Class       string                `json:"x-data-class"`
}

// Parameter is one of the path, behind the question mark, or a header.
type Parameter struct {
	Name        string             `json:"name"`
	In          string             `json:"in"`
	Description string             `json:"description,omitempty"`
	Required    bool               `json:"required,omitempty"`
	Schema      *jsonschema.Schema `json:"schema"`
}

// Body is what a request holds.
type Body struct {
	Required bool             `json:"required"`
	Content  map[string]Media `json:"content"`
}

// Media is a body in one content type.
type Media struct {
	Schema *jsonschema.Schema `json:"schema"`
}

// Response is one kind of answer.
type Response struct {
	Ref         string            `json:"$ref,omitempty"`
	Description string            `json:"description,omitempty"`
	Headers     map[string]Header `json:"headers,omitempty"`
	Content     map[string]Media  `json:"content,omitempty"`
}

// Header is a header of an answer.
type Header struct {
	Description string             `json:"description,omitempty"`
	Schema      *jsonschema.Schema `json:"schema"`
}

// Components are what operations share.
type Components struct {
	Schemas         map[string]*jsonschema.Schema `json:"schemas"`
	Responses       map[string]*Response          `json:"responses"`
	SecuritySchemes map[string]*SecurityScheme    `json:"securitySchemes"`
}

// SecurityScheme is a way to authenticate.
type SecurityScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme,omitempty"`
	Description string `json:"description"`
	Flows       *Flows `json:"flows,omitempty"`
}

// Flows are the OAuth grants that lead to a token.
type Flows struct {
	ClientCredentials Flow `json:"clientCredentials"`
}

// Flow is one of them.
type Flow struct {
	TokenURL string            `json:"tokenUrl"`
	Scopes   map[string]string `json:"scopes"`
}
