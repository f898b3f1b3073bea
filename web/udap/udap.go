package udap

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
	"github.com/mandate-health/mandate/oauth/udap"
	"github.com/mandate-health/mandate/web/problem"
)

// maxRegistration is the greatest size of a registration request in bytes: a
// software statement carries certificates.
const maxRegistration = 128 << 10

// Deps is what the endpoints of UDAP work with.
type Deps struct {
	Tenant    string
	Documents *udap.Documents
	Registrar *udap.Registrar
	// Endpoint is the URL at which software statements are taken.
	Endpoint string
	Problem  *problem.Writer
	Origin   func(r *http.Request) (network, requestID string)
}

// Metadata serves {fhir_base}/.well-known/udap to any origin, signed for the
// community that is asked for (UDP-01, UDP-10).
func Metadata(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD")
			w.Header().Set("Access-Control-Allow-Headers", "*")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		m, err := d.Documents.Of(r.URL.Query().Get("community"))
		if errs.Is(err, errs.NotFound) && errs.As(err).Code == "udap-community-unknown" {
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if err != nil {
			d.Problem.JSON(w, r, err)
			return
		}
		body, err := json.Marshal(m)
		if err != nil {
			d.Problem.JSON(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// Register takes software statements (UDP-15).
func Register(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readStatement(w, r)
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		network, requestID := d.Origin(r)
		answer, err := d.Registrar.Register(r.Context(), udap.Call{
			Tenant: d.Tenant, Endpoint: d.Endpoint, Body: body, Network: network, RequestID: requestID,
		})
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		problem.NoStore(w)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if answer.Fresh {
			w.WriteHeader(http.StatusCreated)
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// readStatement reads the JSON body of a registration. Errors:
// errs.UnsupportedMedia, errs.TooLarge, errs.InvalidRequest,
// errs.InvalidClientMetadata.
func readStatement(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := strictjson.Media(r); err != nil {
		return nil, err
	}
	body, err := strictjson.Body(w, r, maxRegistration)
	return body, strictjson.As(err, errs.InvalidClientMetadata)
}
