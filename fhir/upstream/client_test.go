package upstream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/internal/errs"
)

func client(t *testing.T, base string) *upstream.Client {
	t.Helper()
	c, err := upstream.New(upstream.Config{Base: base})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What was searched must not reach the log by way of the cause of a failure.
func TestAFailureDoesNotTellWhatWasAsked(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c := client(t, gone.URL+"/fhir")
	_, _, err := c.FindPatients(context.Background(), "Rosa Marquez", 5)
	if !errs.Is(err, errs.Upstream) {
		t.Fatal(err)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), "Rosa") || strings.Contains(err.Error(), "name=") {
			t.Errorf("the failure tells who was looked for: %v", err)
		}
	}
}

// A page link is followed only below the base, however it is written.
func TestLinksThatLeadAway(t *testing.T) {
	c := client(t, "http://fhir.internal/r4")
	for link, want := range map[string]string{
		"http://fhir.internal/r4/Patient?page=2": "/Patient?page=2",
		"http://fhir.internal/r4?page=2":         "?page=2",
		"http://fhir.internal/r4/..data?page=2":  "/..data?page=2",
		"http://fhir.internal/r4/../admin":       "",
		"http://fhir.internal/r4/%2e%2e/admin":   "",
		"http://fhir.internal/r4/a/..":           "",
		"http://fhir.internal/r4evil/Patient":    "",
		"http://fhir.internal.evil.example/r4/":  "",
		"http://evil.example/r4/Patient":         "",
		"/Patient":                               "",
		"":                                       "",
	} {
		if got, ok := c.Below(link); got != want || ok != (want != "") {
			t.Errorf("%s: %q %v, want %q", link, got, ok, want)
		}
	}
}

// The consent page names whom it is about: an upstream that answers with
// somebody else, or with nothing that can be read, is a fault of the upstream.
func TestThePatientIsTheOneAskedFor(t *testing.T) {
	answer := ""
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
	defer up.Close()
	c := client(t, up.URL)
	for _, answer = range []string{`{"resourceType":"Patient","id":"noah"}`, `null`, `{}`, `{"id":"ro`, `<html>`, ``} {
		if _, err := c.Patient(context.Background(), "rosa"); !errs.Is(err, errs.Upstream) {
			t.Errorf("%q: %v", answer, err)
		}
	}
	answer = `{"resourceType":"Patient","id":"rosa","name":[{"text":"Rosa"}]}`
	if d, err := c.Patient(context.Background(), "rosa"); err != nil || d.Name != "Rosa" {
		t.Errorf("%+v %v", d, err)
	}
}
