package upstream

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// Header is a way to the upstream on which each request carries a header, such as
// a key that was given to us for good.
type Header struct {
	Name, Value string
	Next        http.RoundTripper
}

// RoundTrip sends the request with the header.
func (h Header) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(h.Name, h.Value)
	return h.Next.RoundTrip(r)
}

// ParseHeader reads one line such as "Authorization: Bearer xyz". Errors:
// errs.Invalid, which does not tell the text.
func ParseHeader(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
	value = strings.TrimSpace(value)
	if !ok || name == "" || value == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
		return "", "", errs.New(errs.Invalid, "upstream-header", "One line is needed, such as Authorization: Bearer …")
	}
	return name, value, nil
}

// Backend is a way to the upstream on which we are a client of its authorization
// server (SMART Backend Services): client credentials with a signed assertion. It
// keeps one token until shortly before its end. It is safe for concurrent use.
type Backend struct {
	TokenURL, ClientID, Scope string
	// Sign gives a compact JWS of claims, by a key that the upstream knows.
	Sign  func(claims any) (string, error)
	Clock clock.Clock
	IDs   ids.Source
	Next  http.RoundTripper

	mu    sync.Mutex
	token string
	ends  time.Time
}

const (
	// assertionLife is how long an assertion is good (SMART ASY: at most five
	// minutes).
	assertionLife = 2 * time.Minute
	// early is how long before its end a token is not used any more, unsaidLife how
	// long one is that does not say.
	early      = 30 * time.Second
	unsaidLife = 5 * time.Minute
	// mostToken bounds the answer of the token endpoint, in bytes.
	mostToken = 64 << 10
)

// RoundTrip sends the request with a token. One that the upstream does not take
// any more is replaced, and a request without a body sent again with the next.
func (b *Backend) RoundTrip(r *http.Request) (*http.Response, error) {
	for again := r.Body == nil || r.Body == http.NoBody; ; again = false {
		token, err := b.current(r.Context())
		if err != nil {
			return nil, err
		}
		out := r.Clone(r.Context())
		out.Header.Set("Authorization", "Bearer "+token)
		res, err := b.Next.RoundTrip(out)
		if err != nil || res.StatusCode != http.StatusUnauthorized {
			return res, err
		}
		b.drop(token)
		if !again {
			return res, nil
		}
		// What it says about the refusal is not used.
		_ = res.Body.Close()
	}
}

func (b *Backend) drop(token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.token == token {
		b.token = ""
	}
}

// current gives a token; who comes while one is asked for waits for it.
func (b *Backend) current(ctx context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.Clock.Now()
	if b.token != "" && now.Before(b.ends) {
		return b.token, nil
	}
	token, life, err := b.ask(ctx, now)
	if err != nil {
		return "", err
	}
	b.token, b.ends = token, now.Add(life-early)
	return token, nil
}

var errNoUpstreamToken = errs.New(errs.Upstream, "upstream-token", "The authorization server of the FHIR server gave no access token.")

func (b *Backend) ask(ctx context.Context, now time.Time) (token string, life time.Duration, err error) {
	assertion, err := b.Sign(map[string]any{
		"iss": b.ClientID, "sub": b.ClientID, "aud": b.TokenURL, "jti": b.IDs.ID(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", 0, err
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {b.Scope}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	// Others wait for this token: it must not end with the request that asked.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, errs.Wrap(err, errs.Internal, "upstream-token", "The token request could not be built.")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	res, err := b.Next.RoundTrip(r)
	if err != nil {
		return "", 0, errs.Wrap(err, errs.Upstream, "upstream-token", errNoUpstreamToken.Msg)
	}
	defer res.Body.Close()
	var got struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int64  `json:"expires_in"`
	}
	err = json.NewDecoder(io.LimitReader(res.Body, mostToken)).Decode(&got)
	if err != nil || res.StatusCode != http.StatusOK || got.Token == "" || !strings.EqualFold(got.Type, "bearer") {
		return "", 0, errNoUpstreamToken
	}
	life = unsaidLife
	if got.Expires > 0 {
		life = time.Duration(got.Expires) * time.Second
	}
	return got.Token, life, nil
}

// tokenWithin is how long the token endpoint may take.
const tokenWithin = 10 * time.Second
