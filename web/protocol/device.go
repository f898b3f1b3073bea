package protocol

import (
	"net/http"

	"github.com/mandate-health/mandate/oauth/engine"
)

// Device answers device authorization requests (RFC 8628 §3.1). page is where
// people type the code.
func Device(d Deps, address, page string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, open, err := d.read(w, r, func(engine.Site) string { return address })
		if !open {
			return
		}
		if err != nil {
			d.refuse(w, r, a, err)
			return
		}
		answer, err := d.Endpoint.Device(r.Context(), a.call(), page)
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		send(w, answer)
	})
}
