package conformance_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testrun"
)

// tokenID reads the jti of an access token.
func tokenID(t *testing.T, token string) string {
	t.Helper()
	var claims struct {
		ID string `json:"jti"`
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatal("the access token is no JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &claims); err != nil || claims.ID == "" {
		t.Fatal(err)
	}
	return claims.ID
}

// TestDrain: a server under load is asked to end. It first says that it is not
// ready and goes on answering, so clients that turn away then have lost no
// request; and every token that was answered has its audit event afterwards.
func TestDrain(t *testing.T) {
	s := another(t, "drain", "--drain-delay", "700ms")
	target := s.open(t)
	var (
		mu     sync.Mutex
		tokens []string
		wg     sync.WaitGroup
	)
	notReady, enough := make(chan struct{}), make(chan struct{})
	for range 6 {
		wg.Go(func() {
			for {
				select {
				case <-notReady:
					return
				default:
				}
				res, err := target.ClientCredentials(t.Context(), target.Client("backend"), "system/Patient.rs")
				if err != nil || res.Status != http.StatusOK {
					t.Errorf("a request was lost: %v %v", res, err)
					return
				}
				mu.Lock()
				if tokens = append(tokens, res.Text("access_token")); len(tokens) == 60 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	awaitUnready(t, target)
	close(notReady)
	wg.Wait()
	if err := s.Wait(); err != nil {
		t.Fatalf("it ended with %v\n%s", err, s.Tail())
	}
	recorded := map[string]bool{}
	for _, id := range issuedTokens(t, s) {
		recorded[id] = true
	}
	for _, token := range tokens {
		if !recorded[tokenID(t, token)] {
			t.Error("a token was answered and left no audit event")
		}
	}
	t.Logf("%d tokens answered, all recorded", len(tokens))
}

// awaitUnready asks as a balancer does until the server is not ready.
func awaitUnready(t *testing.T, target *conformance.Target) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		res, err := target.Do(t.Context(), kit.Request{Method: http.MethodGet, URL: target.Issuer + "/readyz"})
		if err != nil {
			t.Fatalf("it closed before it said that it would: %v", err)
		}
		if res.Status == http.StatusServiceUnavailable {
			return
		}
		<-tick.C
	}
	t.Fatal("it is ready for ever")
}

// issuedTokens starts the server again on the same data and asks its audit log
// for the tokens that were issued.
func issuedTokens(t *testing.T, s *server) []string {
	t.Helper()
	again := another(t, "drained", "--data", filepath.Join(filepath.Dir(s.Ready()), "data"))
	target := again.open(t)
	res, err := target.Do(t.Context(), kit.Request{
		Method: http.MethodGet, URL: target.AdminAPI.URL + "/audit?kind=token.issued",
		Header: http.Header{"Authorization": {"Bearer " + target.AdminAPI.Token}},
	})
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	var body any
	if err := json.Unmarshal(res.Body, &body); err != nil {
		t.Fatal(err)
	}
	var ids []string
	collect(body, func(name, value string) {
		if strings.EqualFold(name, "token_id") || strings.EqualFold(name, "tokenid") {
			ids = append(ids, value)
		}
	})
	return ids
}

// collect calls fn with every text member of a JSON value.
func collect(v any, fn func(name, value string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			collect(e, fn)
		}
	case map[string]any:
		for name, e := range v {
			if text, ok := e.(string); ok {
				fn(name, text)
			}
			collect(e, fn)
		}
	}
}

// TestSecondSignal: who asks twice does not want to wait.
func TestSecondSignal(t *testing.T) {
	s := another(t, "twice", "--drain-delay", "10m")
	target := s.open(t)
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	awaitUnready(t, target)
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testrun.StopLimit)
	defer cancel()
	select {
	case <-s.Done():
	case <-ctx.Done():
		t.Error("it still waits")
	}
}
