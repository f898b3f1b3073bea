package register

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/web/problem"
)

// Deps is what dynamic registration works with.
type Deps struct {
	Tenant   string
	Registry *registration.Dynamic
	// URL is the registration endpoint; a client is managed below it.
	URL     string
	Problem *problem.Writer
	Origin  func(r *http.Request) (network, requestID string)
}

// maxRegistration is the greatest size of a registration request in bytes.
const maxRegistration = 128 << 10

// registered is the client information response of RFC 7591 §3.2.1 and RFC 7592
// §3. SecretExpires is there exactly where a secret is.
type registered struct {
	ClientID      string `json:"client_id"`
	IssuedAt      int64  `json:"client_id_issued_at"`
	Secret        string `json:"client_secret,omitempty"`
	SecretExpires *int64 `json:"client_secret_expires_at,omitempty"`
	Token         string `json:"registration_access_token"`
	URI           string `json:"registration_client_uri"`
	// Status is pending, approved or disabled.
	Status string `json:"registration_status"`
	registration.Metadata
}

// registrationBody is a registration request, with the members that only a
// request for management has.
type registrationBody struct {
	registration.Metadata
	ClientID  string          `json:"client_id"`
	Statement json.RawMessage `json:"software_statement"`
}

// Add takes registration requests (RFC 7591 §3.1).
func Add(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := d.read(w, r)
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		token := bearer(r)
		out, err := d.Registry.Register(r.Context(), registration.Request{
			Tenant: d.Tenant, Metadata: body.Metadata, Token: token, Origin: d.origin(r),
		})
		d.answer(w, r, http.StatusCreated, out, err)
	})
}

// Managed shows a client to its maker (RFC 7592 §2.1).
func Managed(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := d.management(r)
		c, err := d.Registry.Managed(r.Context(), req)
		d.answer(w, r, http.StatusOK, registration.Issued{Client: c, Token: req.Token}, err)
	})
}

// Replace replaces what a client said of itself (RFC 7592 §2.2).
func Replace(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := d.management(r)
		// Who shows no token of the client learns nothing about the body.
		if _, err := d.Registry.Managed(r.Context(), req); err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		body, err := d.read(w, r)
		if err == nil && body.ClientID != req.ID {
			err = errs.New(errs.InvalidClientMetadata, "registration-client-id", "client_id must name the client that is changed.")
		}
		if err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		req.Metadata = body.Metadata
		out, err := d.Registry.Replace(r.Context(), req)
		d.answer(w, r, http.StatusOK, out, err)
	})
}

// Unregister deletes a client by its maker (RFC 7592 §2.3).
func Unregister(d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := d.Registry.Remove(r.Context(), d.management(r)); err != nil {
			d.Problem.OAuth(w, r, err)
			return
		}
		problem.NoStore(w)
		w.WriteHeader(http.StatusNoContent)
	})
}

func (d Deps) origin(r *http.Request) audit.Event {
	network, requestID := d.Origin(r)
	return audit.Event{Network: network, RequestID: requestID}
}

func (d Deps) management(r *http.Request) registration.Request {
	token := bearer(r)
	return registration.Request{Tenant: d.Tenant, ID: mux.Vars(r)["id"], Token: token, Origin: d.origin(r)}
}

// read reads the JSON of a request. Members that are not known are passed over
// (RFC 7591 §2). Errors: errs.UnsupportedMedia, errs.TooLarge,
// errs.InvalidClientMetadata, errs.InvalidSoftwareStatement.
func (d Deps) read(w http.ResponseWriter, r *http.Request) (registrationBody, error) {
	var body registrationBody
	if err := strictjson.Media(r); err != nil {
		return body, err
	}
	raw, err := strictjson.Body(w, r, maxRegistration)
	if err != nil {
		return body, strictjson.As(err, errs.InvalidClientMetadata)
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return body, errs.Wrap(err, errs.InvalidClientMetadata, "registration-malformed", "The body must be one JSON object whose members have the types that RFC 7591 names.")
	}
	if len(body.Statement) > 0 && string(body.Statement) != "null" {
		return body, errs.New(errs.InvalidSoftwareStatement, "software-statement", "Software statements are not taken at this endpoint.")
	}
	return body, nil
}

func (d Deps) answer(w http.ResponseWriter, r *http.Request, status int, out registration.Issued, err error) {
	if err != nil {
		d.Problem.OAuth(w, r, err)
		return
	}
	c := out.Client
	v := registered{
		ClientID: c.ID, IssuedAt: c.Created.Unix(), Secret: out.Secret, Token: out.Token,
		URI: d.URL + "/" + url.PathEscape(c.ID), Status: registration.StatusOf(c), Metadata: registration.Of(c).Metadata,
	}
	if out.Secret != "" {
		v.SecretExpires = new(int64)
	}
	problem.NoStore(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) //nolint:gosec // RFC 7591 §3.2.1: the new secret is what the answer is for
}

// bearer gives the token that a request shows, "" for none.
func bearer(r *http.Request) string {
	header := r.Header.Values("Authorization")
	if len(header) != 1 {
		return ""
	}
	scheme, token, found := strings.Cut(header[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
