package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxRead is how much of an answer is read, maxShown how much is shown, in
// bytes.
const (
	maxRead  = 1 << 20
	maxShown = 8 << 10
)

// exchange is one request to Mandate and its answer as it came.
type exchange struct {
	Method    string `json:"method"`
	URL       string `json:"url"`
	Sent      string `json:"sent,omitempty"`
	Status    int    `json:"status"`
	Location  string `json:"location,omitempty"`
	Challenge string `json:"www_authenticate,omitempty"`
	Type      string `json:"content_type,omitempty"`
	Body      string `json:"body,omitempty"`
}

// ok reports a 2xx answer.
func (x exchange) ok() bool { return x.Status >= 200 && x.Status < 300 }

// shown cuts a long body for people.
func (x exchange) shown() exchange {
	if len(x.Body) > maxShown {
		x.Body = strings.ToValidUTF8(x.Body[:maxShown], "") + " … (cut)"
	}
	return x
}

// call sends a request and keeps what came. Without an answer the status is 0
// and the body says why.
func (s *server) call(ctx context.Context, method, to, kind, body string, header map[string]string) exchange {
	x := exchange{Method: method, URL: to, Sent: body}
	r, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(body))
	if err != nil {
		x.Body = err.Error()
		return x
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	resp, err := s.http.Do(r)
	if err != nil {
		x.Body = err.Error()
		return x
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxRead))
	if err != nil {
		raw = append(raw, err.Error()...)
	}
	x.Status, x.Location, x.Challenge = resp.StatusCode, resp.Header.Get("Location"), resp.Header.Get("WWW-Authenticate")
	x.Type, x.Body = resp.Header.Get("Content-Type"), string(raw)
	return x
}

func (s *server) postForm(ctx context.Context, to string, v url.Values, header map[string]string) exchange {
	return s.call(ctx, http.MethodPost, to, "application/x-www-form-urlencoded", v.Encode(), header)
}

// smartConfiguration holds what the simulator needs of discovery.
type smartConfiguration struct {
	Authorize string `json:"authorization_endpoint"`
	Token     string `json:"token_endpoint"`
}

// discover reads Mandate's endpoints; the exchange tells what went wrong when
// they are missing.
func (s *server) discover(ctx context.Context) (smartConfiguration, exchange, bool) {
	x := s.call(ctx, http.MethodGet, s.cfg.FHIRBase+"/.well-known/smart-configuration", "", "", nil)
	var c smartConfiguration
	err := json.Unmarshal([]byte(x.Body), &c)
	return c, x, err == nil && x.ok() && c.Authorize != "" && c.Token != ""
}

// registration is the JSON body of a launch registration.
type registration struct {
	ClientID          string          `json:"client_id"`
	User              string          `json:"user,omitempty"`
	Patient           string          `json:"patient,omitempty"`
	Encounter         string          `json:"encounter,omitempty"`
	Intent            string          `json:"intent,omitempty"`
	StyleURL          string          `json:"smart_style_url,omitempty"`
	NeedPatientBanner *bool           `json:"need_patient_banner,omitempty"`
	FHIRContext       json.RawMessage `json:"fhirContext,omitempty"`
}

// ticket is Mandate's answer to a launch registration.
type ticket struct {
	Launch    string `json:"launch"`
	LaunchURL string `json:"launch_url,omitempty"`
	Issuer    string `json:"iss"`
	ExpiresAt string `json:"expires_at"`
}

// register registers a launch context as the EHR client (SMART LAU-01). The
// ticket is empty when Mandate refused; the exchange then tells why.
func (s *server) register(ctx context.Context, reg registration) (ticket, exchange) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(reg); err != nil {
		return ticket{}, exchange{Method: http.MethodPost, URL: s.cfg.LaunchURL, Body: err.Error()}
	}
	x := s.call(ctx, http.MethodPost, s.cfg.LaunchURL, "application/json", body.String(), map[string]string{
		"Authorization": basic(s.cfg.EHRClientID, s.cfg.EHRSecret),
	})
	var t ticket
	if err := json.Unmarshal([]byte(x.Body), &t); err != nil || !x.ok() {
		return ticket{}, x
	}
	return t, x
}
