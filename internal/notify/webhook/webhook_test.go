package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/notify/webhook"
)

const secret = "0123456789abcdef0123456789abcdef"

func now() time.Time { return time.Unix(1700000000, 0) }

func TestDeliver(t *testing.T) {
	status, got := http.StatusNoContent, ""
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get("Mandate-Signature") != webhook.Sign(secret, now(), body) || r.Header.Get("Idempotency-Key") != "n1" {
			t.Errorf("headers %v", r.Header)
		}
		got = string(body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer receiver.Close()
	channel := webhook.New(webhook.Config{URL: receiver.URL, Secret: secret}, clock.Fixed(now()))
	n := outbox.Notice{Tenant: "main", ID: "n1", PersonID: "p", Template: "app-connected-by-proxy", Created: now().UTC()}
	if err := channel.Deliver(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	want := `{"tenant":"main","id":"n1","person_id":"p","template":"app-connected-by-proxy","created":"2023-11-14T22:13:20Z"}`
	if got != want {
		t.Errorf("it sends %s", got)
	}
	for code, kind := range map[int]errs.Kind{
		http.StatusServiceUnavailable: errs.Upstream, http.StatusFound: errs.Upstream,
		http.StatusNotFound: errs.Upstream, http.StatusGone: errs.Invalid,
	} {
		status = code
		if err := channel.Deliver(t.Context(), n); !errs.Is(err, kind) {
			t.Errorf("%d gives %v", code, err)
		}
	}
	receiver.Close()
	if err := channel.Deliver(t.Context(), n); !errs.Is(err, errs.Upstream) {
		t.Errorf("a receiver that is down gives %v", err)
	}
}

// The signature is what a receiver computes with openssl dgst -sha256 -hmac.
func TestSign(t *testing.T) {
	const want = "t=1700000000,v1=417adf36b901772f658597a76d329694e335e65fc0849d7715c3ca33406309b5"
	if got := webhook.Sign(secret, now(), []byte("{}")); got != want {
		t.Errorf("got %s", got)
	}
}

func TestConfig(t *testing.T) {
	for url, ok := range map[string]bool{
		"": true, "https://notify.example/in": true, "http://127.0.0.1:9/in": true, "http://localhost/in": true,
		"http://notify.example/in": false, "ftp://notify.example": false, "https://me:pw@notify.example": false, "notify": false,
	} {
		c := webhook.Config{URL: url, Secret: secret}
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
	c := webhook.Config{URL: "https://notify.example/in", Secret: "short"}
	if err := c.Validate(); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a short secret gives %v", err)
	}
}
