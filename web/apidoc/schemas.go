package apidoc

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/web/adminapi/call"
)

const refPrefix = "#/components/schemas/"

// schemas collects the schemas of types.
type schemas struct {
	// known are types whose JSON is not that of their fields, and types that have
	// a name of their own in the document.
	known map[reflect.Type]*jsonschema.Schema
	named map[string]reflect.Type
}

func newSchemas() *schemas {
	return &schemas{
		named: map[string]reflect.Type{},
		known: map[reflect.Type]*jsonschema.Schema{
			reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time"},
			reflect.TypeFor[json.RawMessage](): {Type: "object"},
			reflect.TypeFor[[]byte]():          {Type: "string", ContentEncoding: "base64"},
			reflect.TypeFor[audit.Hash]():      {Type: "string", ContentEncoding: "base64", Description: "SHA-256."},
			reflect.TypeFor[call.Resource](): {
				Type: "object", Description: "A FHIR R4 resource.", Required: []string{"resourceType"},
				Properties: map[string]*jsonschema.Schema{"resourceType": {Type: "string"}},
			},
		},
	}
}

// alternatives is a type whose JSON is that of any of several others.
type alternatives interface{ Alternatives() []reflect.Type }

// use prepares a type and all types below it.
func (s *schemas) use(t reflect.Type) error {
	if _, ok := s.known[t]; ok || t == nil {
		return nil
	}
	if forms, ok := reflect.Zero(t).Interface().(alternatives); ok {
		one := &jsonschema.Schema{}
		for _, other := range forms.Alternatives() {
			schema, err := s.of(other)
			if err != nil {
				return err
			}
			one.AnyOf = append(one.AnyOf, schema)
		}
		s.known[t] = one
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return s.use(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	if t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return fmt.Errorf("apidoc: the JSON of %s is made by itself and is not described", t)
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
			if err := s.use(f.Type); err != nil {
				return err
			}
		}
	}
	return nil
}

// of gives the schema of a type, a reference where it has a name.
func (s *schemas) of(t reflect.Type) (*jsonschema.Schema, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if err := s.use(t); err != nil {
		return nil, err
	}
	if known, ok := s.known[t]; ok {
		return known.CloneSchemas(), nil
	}
	if t.Kind() == reflect.Struct {
		return s.name(t)
	}
	return s.infer(t)
}

// name gives a struct a name in the document and a reference to it.
func (s *schemas) name(t reflect.Type) (*jsonschema.Schema, error) {
	name := t.Name()
	if name == "" || strings.Contains(name, "[") {
		return s.infer(t)
	}
	first := []rune(name)
	first[0] = unicode.ToUpper(first[0])
	name = string(first)
	if other, taken := s.named[name]; taken && other != t {
		parts := strings.Split(t.PkgPath(), "/")
		pkg := []rune(parts[len(parts)-1])
		pkg[0] = unicode.ToUpper(pkg[0])
		name = string(pkg) + name
	}
	if other, taken := s.named[name]; taken && other != t {
		return nil, fmt.Errorf("apidoc: %s and %s would both be %s", other, t, name)
	}
	s.named[name] = t
	return &jsonschema.Schema{Ref: refPrefix + name}, nil
}

// infer gives the schema of a type from its fields.
func (s *schemas) infer(t reflect.Type) (*jsonschema.Schema, error) {
	out, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: s.known})
	if err != nil {
		return nil, fmt.Errorf("apidoc: %w", err)
	}
	neverNull(out)
	return out, nil
}

// neverNull says that lists are lists: no answer holds null in their place.
func neverNull(s *jsonschema.Schema) {
	if slices.Equal(s.Types, []string{"null", "array"}) {
		s.Type, s.Types = "array", nil
	}
	for _, p := range s.Properties {
		neverNull(p)
	}
	for _, p := range []*jsonschema.Schema{s.Items, s.AdditionalProperties} {
		if p != nil {
			neverNull(p)
		}
	}
	for _, p := range s.AnyOf {
		neverNull(p)
	}
}

// all gives the schemas that have names.
func (s *schemas) all() (map[string]*jsonschema.Schema, error) {
	out := map[string]*jsonschema.Schema{}
	for name, t := range s.named {
		schema, err := s.infer(t)
		if err != nil {
			return nil, err
		}
		out[name] = schema
	}
	return out, nil
}
