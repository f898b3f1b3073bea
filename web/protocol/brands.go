package protocol

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/brand"
	"github.com/mandate-health/mandate/web/problem"
)

// Brands gives the brand bundle of this tenant. Errors: errs.NotFound;
// errs.Unavailable.
type Brands func(ctx context.Context) (brand.Bundle, error)

// BrandBundle serves the bundle of user-access brands to anybody (SMART BRD-02,
// BRD-03, US-28).
func BrandBundle(brands Brands, refuse *problem.Writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		anyOrigin(w, r)
		h.Set("Access-Control-Expose-Headers", "ETag")
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		b, err := brands(r.Context())
		if err != nil {
			refuse.FHIR(w, r, err)
			return
		}
		h.Set("Content-Type", "application/fhir+json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("ETag", b.ETag())
		serve(w, r, b.Updated.Truncate(time.Second), b.JSON)
	})
}

// branded is a document that names the primary brand.
type branded struct {
	brands Brands
	build  func(brand.Identifier) http.Handler
	now    atomic.Pointer[brandedFor]
}

type brandedFor struct {
	id      brand.Identifier
	handler http.Handler
}

// ServeHTTP serves the document of the brand that there is now. While the store
// cannot be asked it stays what it was: discovery must not end with the store.
func (d *branded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	last := d.now.Load()
	b, err := d.brands(r.Context())
	keep := last != nil && (last.id == b.Primary || err != nil && !errs.Is(err, errs.NotFound))
	if !keep {
		last = &brandedFor{b.Primary, d.build(b.Primary)}
		if err == nil || errs.Is(err, errs.NotFound) {
			d.now.Store(last)
		}
	}
	last.handler.ServeHTTP(w, r)
}
