package problem

import (
	"errors"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

// demand tells with a 401 which credential is wanted (RFC 6750 §3), and where to
// learn who gives it, unless metadata is empty (RFC 9728 §5.1).
func (p *Writer) demand(w http.ResponseWriter, r *http.Request, e *errs.Error, row row, metadata string) {
	if row.status == http.StatusUnauthorized {
		p.challenge(w, r, e, row, metadata)
	}
}

// challenge writes what an access token may be presented as. The scheme that the
// request used is told what is wrong with it; a request without a credential is
// told of both and no error (RFC 6750 §3.1, RFC 9449 §7.1).
func (p *Writer) challenge(w http.ResponseWriter, r *http.Request, e *errs.Error, row row, metadata string) {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	proof := e.Kind == errs.InvalidDPoPProof || e.Kind == errs.UseDPoPNonce
	name := row.oauth
	if e.Kind != errs.Forbidden && e.Kind != errs.InsufficientLogIn && !proof {
		name = "invalid_token"
	}
	fault := `, error="` + name + `", error_description="` + description(e.Msg) + `"`
	var wants demanding
	if errors.As(e, &wants) {
		fault += wants.Challenge()
	}
	const realm = ` realm="fhir"`
	bearer, dpop := "Bearer"+realm, "DPoP"+realm
	switch {
	case scheme == "":
	case proof || strings.EqualFold(scheme, "DPoP"):
		dpop += fault
	default:
		bearer += fault
	}
	if metadata != "" {
		metadata = `, resource_metadata="` + metadata + `"`
	}
	h := w.Header()
	h.Del("WWW-Authenticate")
	if !strings.EqualFold(scheme, "DPoP") && !proof {
		h.Add("WWW-Authenticate", bearer+metadata)
	}
	if len(p.dpop) > 0 {
		h.Add("WWW-Authenticate", dpop+`, algs="`+strings.Join(p.dpop, " ")+`"`+metadata)
	}
}

// demanding is an error that knows which further parameters its challenge has.
type demanding interface{ Challenge() string }
