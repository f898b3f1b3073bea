package conformance_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// RFC 9440: behind a proxy that ended TLS the header counts if the proxy is one
// that was named, and only a single certificate does. RFC 8705 §5: without a
// listener of its own there are no aliases.
func TestCertificatesBehindAProxy(t *testing.T) {
	extra := func(name string, args ...string) *kit.Target {
		s, err := startFull(name, args...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.end(t) })
		return s.open(t)
	}
	near := extra("proxied", "--client-cert-proxy", "127.0.0.0/8", "--client-cert-proxy", "::1/128")
	if !near.Config.OffersTLS() || !near.Config.CertificateBound || near.Config.Aliases.Token != "" {
		t.Errorf("discovery says %v, %+v", near.Config.TokenAuthMethods, near.Config.Aliases)
	}
	client, other := near.Certified(kit.MethodTLS), near.Certified("")
	res := withHeader(t, near, client, client.Header())
	token := res.Text("access_token")
	if res.Status != http.StatusOK || token == "" {
		t.Fatalf("the certificate that the proxy tells: %s", res)
	}
	for _, bad := range [][]string{nil, {""}, {other.Header()}, {client.Header(), client.Header()}, {client.Header(), other.Header()}, {"not a certificate"}} {
		if res := withHeader(t, near, client, bad...); res.Status != http.StatusUnauthorized || res.Text("error") != "invalid_client" {
			t.Errorf("%.20q: %s", bad, res)
		}
	}
	for want, header := range map[int]http.Header{
		http.StatusOK:           {"Client-Cert": {client.Header()}},
		http.StatusUnauthorized: {"Client-Cert": {other.Header()}},
	} {
		header.Set("Authorization", "Bearer "+token)
		res, err := near.Do(t.Context(), kit.Request{URL: near.FHIRBase + "/Patient?_count=1", Header: header})
		if err != nil || res.Status != want {
			t.Errorf("%v %s", err, res)
		}
	}

	far := extra("elsewhere", "--client-cert-proxy", "192.0.2.0/24")
	client = far.Certified(kit.MethodTLS)
	if res := withHeader(t, far, client, client.Header()); res.Status != http.StatusUnauthorized {
		t.Errorf("a header of who is no proxy: %s", res)
	}
}

// withHeader asks for a token of a service, with the values of Client-Cert.
func withHeader(t *testing.T, to *kit.Target, c kit.Client, values ...string) *kit.Response {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}, "client_id": {c.ID}}
	res, err := to.Do(t.Context(), kit.Request{URL: to.Config.Token, Form: form, Header: http.Header{"Client-Cert": values}})
	if err != nil {
		t.Fatal(err)
	}
	return res
}
