package constraint_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/constraint"
)

// certificate makes one that parent signs; a nil parent makes an authority.
func certificate(t *testing.T, bend func(*x509.Certificate), parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: noon().Add(-time.Hour), NotAfter: noon().Add(time.Hour),
		Subject: pkix.Name{CommonName: "Authority"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if bend != nil {
		bend(c)
	}
	if parent == nil {
		parent, by = c, key
		c.IsCA, c.BasicConstraintsValid, c.ExtKeyUsage = true, true, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, key
}

// RFC 8705 §2.1.2: a certificate is known by one registered name and by no other.
func TestNamesOfACertificate(t *testing.T) {
	u, _ := url.Parse("https://app.example/client")
	leaf, _ := certificate(t, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "Lab, inc. + co", Organization: []string{"Clinic"}, Country: []string{"US"}}
		c.DNSNames, c.URIs, c.IPAddresses = []string{"app.example"}, []*url.URL{u}, []net.IP{net.ParseIP("192.0.2.7")}
		c.EmailAddresses = []string{"ops@app.example"}
	}, nil, nil)
	for _, one := range []struct {
		name constraint.Subject
		want bool
	}{
		{constraint.Subject{DN: `CN=Lab\, inc. \+ co,O=Clinic,C=US`}, true},
		{constraint.Subject{DN: `cn=Lab\2C inc. \2b co, o=Clinic, c=US`}, true},
		{constraint.Subject{DN: `2.5.4.3=Lab\, inc. \+ co,OID.2.5.4.10=Clinic,C=US`}, true},
		{constraint.Subject{DN: `C=US,O=Clinic,CN=Lab\, inc. \+ co`}, false},
		{constraint.Subject{DN: `CN=Lab\, inc. \+ co,O=Clinic`}, false},
		{constraint.Subject{DN: `O=Clinic,C=US`}, false},
		{constraint.Subject{DN: `CN=lab\, inc. \+ co,O=Clinic,C=US`}, false},
		{constraint.Subject{DN: `CN=Lab`}, false},
		{constraint.Subject{DN: `CN=#0C034C6162,O=Clinic,C=US`}, false},
		{constraint.Subject{DNS: "APP.example"}, true},
		{constraint.Subject{DNS: "example"}, false},
		{constraint.Subject{DNS: "*.example"}, false},
		{constraint.Subject{URI: "https://app.example/client"}, true},
		{constraint.Subject{URI: "https://app.example/client/"}, false},
		{constraint.Subject{IP: "192.0.2.7"}, true},
		{constraint.Subject{IP: "::ffff:192.0.2.7"}, true},
		{constraint.Subject{IP: "192.0.2.8"}, false},
		{constraint.Subject{Email: "ops@app.example"}, true},
		{constraint.Subject{Email: "OPS@app.example"}, false},
		{constraint.Subject{}, false},
	} {
		if got := one.name.Names(leaf); got != one.want {
			t.Errorf("%+v: %v", one.name, got)
		}
	}
	// Two names in one part stand in any order, and are two parts otherwise.
	double, _ := certificate(t, func(c *x509.Certificate) {
		raw, err := asn1.Marshal(pkix.RDNSequence{{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "App"}, {Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: "7"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		c.RawSubject = raw
	}, nil, nil)
	for text, want := range map[string]bool{"CN=App+UID=7": true, "UID=7+CN=App": true, "CN=App,UID=7": false, "CN=App": false} {
		if got := (constraint.Subject{DN: text}).Names(double); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	for text, want := range map[string]bool{"CN=App": true, "": false, "App": false, "=App": false, "CN=": false, `CN=App\`: false, "CN=App,": false, "CN=#04": false} {
		if got := constraint.ValidDN(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// RFC 9440 §2: what is not exactly one certificate is none.
func TestHeaderOfAProxy(t *testing.T) {
	authority, key := certificate(t, nil, nil, nil)
	leaf, _ := certificate(t, func(c *x509.Certificate) { c.Subject.CommonName = "App" }, authority, key)
	text := func(c *x509.Certificate) string { return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":" }
	own := constraint.FromHeader([]string{text(leaf)}, []string{text(leaf) + ", " + text(authority)})
	if own == nil || own.Leaf.Subject.CommonName != "App" || len(own.Chain) != 1 || own.Thumbprint() == "" {
		t.Fatalf("%+v", own)
	}
	for _, bad := range [][]string{
		nil, {""}, {"::"}, {text(leaf), text(leaf)}, {text(leaf) + "," + text(authority)}, {strings.Trim(text(leaf), ":")}, {text(leaf) + "x"},
		{":" + base64.StdEncoding.EncodeToString([]byte("no certificate")) + ":"}, {":" + strings.Repeat("A", 70<<10) + ":"}, {`"` + text(leaf) + `"`},
	} {
		if c := constraint.FromHeader(bad, nil); c != nil {
			t.Errorf("%.40q is taken", bad)
		}
	}
	if (*constraint.Certificate)(nil).Thumbprint() != "" {
		t.Error("no certificate has a thumbprint")
	}
}

// RFC 8705 §2.1: a certificate counts that a trusted authority gave to a client,
// while it is valid.
func TestAuthorities(t *testing.T) {
	authority, key := certificate(t, nil, nil, nil)
	other, _ := certificate(t, nil, nil, nil)
	middle, middleKey := certificate(t, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid = "Middle", true, true
	}, authority, key)
	leaf, _ := certificate(t, func(c *x509.Certificate) { c.Subject.CommonName = "App" }, middle, middleKey)
	server, _ := certificate(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, authority, key)
	trusted, stranger := x509.NewCertPool(), x509.NewCertPool()
	trusted.AddCert(authority)
	stranger.AddCert(other)
	for name, one := range map[string]struct {
		c     constraint.Certificate
		roots *x509.CertPool
		now   time.Time
		want  bool
	}{
		"good":              {constraint.Certificate{Leaf: leaf, Chain: []*x509.Certificate{middle}}, trusted, noon(), true},
		"chain left out":    {constraint.Certificate{Leaf: leaf}, trusted, noon(), false},
		"another authority": {constraint.Certificate{Leaf: leaf, Chain: []*x509.Certificate{middle, authority}}, stranger, noon(), false},
		"ended":             {constraint.Certificate{Leaf: leaf, Chain: []*x509.Certificate{middle}}, trusted, noon().Add(2 * time.Hour), false},
		"of a server":       {constraint.Certificate{Leaf: server}, trusted, noon(), false},
	} {
		if err := one.c.Verify(one.roots, one.now); (err == nil) != one.want || err != nil && errs.As(err).Code != "certificate-untrusted" {
			t.Errorf("%s: %v", name, err)
		}
	}
	own := constraint.Certificate{Leaf: leaf}
	for at, want := range map[time.Duration]bool{0: true, -2 * time.Hour: false, 2 * time.Hour: false} {
		if err := own.Current(noon().Add(at)); (err == nil) != want {
			t.Errorf("after %s: %v", at, err)
		}
	}
}
