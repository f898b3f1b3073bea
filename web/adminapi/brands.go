package adminapi

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/mandate-health/mandate/oauth/brand"
)

// brands gives the bundle as it is published (BRD-06).
func (a *API) brands(w http.ResponseWriter, r *http.Request) (any, error) {
	b, err := a.Read.BrandBundle(r.Context(), a.Tenant)
	if err != nil {
		return nil, err
	}
	return told(w, b), nil
}

// told names the version for If-Match.
func told(w http.ResponseWriter, b brand.Bundle) json.RawMessage {
	w.Header().Set("ETag", `W/"`+strconv.Itoa(b.Version)+`"`)
	return b.JSON
}

// publishBrands puts a bundle in place of the one there is. With If-Match only in
// place of that version.
func (a *API) publishBrands(w http.ResponseWriter, r *http.Request) (any, error) {
	raw, version, err := readResource(w, r)
	if err != nil {
		return nil, err
	}
	b, err := a.Brands.Publish(r.Context(), brand.Publication{
		Tenant: a.Tenant, Base: a.FHIRBase, IfVersion: version, Raw: raw, Origin: a.origin(r),
	})
	if err != nil {
		return nil, err
	}
	return told(w, b), nil
}

// withdrawBrands takes the bundle off the net.
func (a *API) withdrawBrands(w http.ResponseWriter, r *http.Request) (any, error) {
	_, version, err := readResource(w, r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"withdrawn": true}, a.Brands.Withdraw(r.Context(), a.Tenant, version, a.origin(r))
}
