package apidoc_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/web/apidoc"
	"github.com/mandate-health/mandate/web/route"
)

type odd struct {
	Inner selfMade `json:"inner"`
}

type selfMade struct{}

func (selfMade) MarshalJSON() ([]byte, error) { return []byte("7"), nil }

// described is a route that can be documented.
func described() route.Route {
	return route.Route{
		Method: "GET", Path: "/admin/things/{id}", Auth: route.Bearer, Scopes: "admin/things", PHI: route.NoPHI,
		Operation: &route.Operation{
			ID: "showThing", Summary: "Shows a thing.", Status: http.StatusOK, Match: true, Tag: true,
			Query: route.TypeOf[struct {
				Most string   `json:"most"`
				Some []string `json:"some,omitempty" jsonschema:"More."`
			}](),
			Answer: route.TypeOf[struct {
				Name string `json:"name"`
			}](),
		},
	}
}

func build(routes ...route.Route) (*apidoc.Document, error) {
	return apidoc.Build(apidoc.API{Scopes: map[string]string{"admin/things": "Things."}}, routes)
}

// Each fact of a route is in the document.
func TestARouteIsDescribed(t *testing.T) {
	doc, err := build(described(), route.Route{Path: "/page"})
	if err != nil || len(doc.Paths) != 1 {
		t.Fatal(doc, err)
	}
	op := doc.Paths["/admin/things/{id}"]["get"]
	var names []string
	for _, p := range op.Parameters {
		names = append(names, p.In+" "+p.Name)
		if p.Required != (p.Name == "id" || p.Name == "most") {
			t.Errorf("%s: required %v", p.Name, p.Required)
		}
	}
	if got := strings.Join(names, ", "); got != "path id, query most, query some, header If-Match" {
		t.Error(got)
	}
	if op.Security[0]["accessToken"][0] != "admin/things" || op.Tags[0] != "things" || op.Responses["200"].Headers["ETag"].Schema == nil || op.Body != nil {
		t.Errorf("%+v", op)
	}
}

// What cannot be described truly is an error.
func TestNothingIsGuessed(t *testing.T) {
	for want, spoil := range map[string]func(*route.Route){
		"operation id":   func(r *route.Route) { r.Operation.ID = "" },
		"or the summary": func(r *route.Route) { r.Operation.Summary = "" },
		"the scope":      func(r *route.Route) { r.Scopes = "admin/others" },
		"authentication": func(r *route.Route) { r.Auth = route.Session },
		"made by itself": func(r *route.Route) { r.Operation.Answer = route.TypeOf[odd]() },
		"is made by":     func(r *route.Route) { r.Operation.Body = route.TypeOf[[]odd]() },
		"showThing":      func(*route.Route) {},
	} {
		r := described()
		spoil(&r)
		routes := []route.Route{r}
		if want == "showThing" {
			routes = append(routes, described())
		}
		if _, err := build(routes...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
