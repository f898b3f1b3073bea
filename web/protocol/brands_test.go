package protocol_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/brand"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/protocol"
)

func noBrands(context.Context) (brand.Bundle, error) {
	return brand.Bundle{}, errs.New(errs.NotFound, "brand-not-found", "There is no such brand.")
}

// BRD-03: a bundle that did not change is not sent again, and there may be none.
func TestBrandBundle(t *testing.T) {
	b := brand.Bundle{Version: 3, JSON: []byte(`{"resourceType":"Bundle"}`), Updated: time.Unix(1700000000, 5000)}
	refuse := problem.New(problem.Config{})
	h := protocol.BrandBundle(func(context.Context) (brand.Bundle, error) { return b, nil }, refuse)
	first := discover(h, http.MethodGet, http.Header{"Origin": {"https://app.example"}})
	if first.Code != http.StatusOK || first.Header().Get("ETag") != b.ETag() || first.Header().Get("Content-Type") != "application/fhir+json" ||
		first.Header().Get("Access-Control-Allow-Origin") != "*" || first.Header().Get("Cache-Control") == "" {
		t.Error(first.Code, first.Header())
	}
	if again := discover(h, http.MethodGet, http.Header{"If-None-Match": {b.ETag()}}); again.Code != http.StatusNotModified {
		t.Error(again.Code)
	}
	if none := discover(protocol.BrandBundle(noBrands, refuse), http.MethodGet, http.Header{}); none.Code != http.StatusNotFound {
		t.Error(none.Code)
	}
}

// DISC-16, DISC-20: the discovery document follows what is published at once, and
// stays what it was while the store is away.
func TestDiscoveryFollowsTheBrands(t *testing.T) {
	var now brand.Bundle
	var broken error
	h := protocol.SMARTConfiguration(protocol.Endpoints{Brands: "https://ehr.example/brands"}, nil, func(ctx context.Context) (brand.Bundle, error) {
		if broken == nil && now.Version == 0 {
			return noBrands(ctx)
		}
		return now, broken
	})
	want := func(bundle, id string) {
		t.Helper()
		var got struct {
			Bundle     string            `json:"user_access_brand_bundle"`
			Identifier *brand.Identifier `json:"user_access_brand_identifier"`
		}
		w := discover(h, http.MethodGet, http.Header{})
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Bundle != bundle || (got.Identifier == nil) != (id == "") || got.Identifier != nil && got.Identifier.Value != id {
			t.Errorf("%+v", got)
		}
	}
	want("", "")
	now = brand.Bundle{Version: 1, Primary: brand.Identifier{Value: "https://a.example"}}
	want("https://ehr.example/brands", "https://a.example")
	now.Primary.Value = "https://b.example"
	want("https://ehr.example/brands", "https://b.example")
	now, broken = brand.Bundle{}, errs.New(errs.Unavailable, "store-down", "")
	want("https://ehr.example/brands", "https://b.example")
	broken = nil
	want("", "")
}
