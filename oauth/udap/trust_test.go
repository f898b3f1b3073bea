package udap

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// UDP-12: what a certificate must be.
func TestHostileCertificates(t *testing.T) {
	w := newWorld(t)
	between := w.authority("x")
	x := w.template("Between")
	x.IsCA, x.BasicConstraintsValid, x.KeyUsage = true, true, x509.KeyUsageCertSign
	between.Chain = []*x509.Certificate{w.certificate(x, w.root.Chain[0], between.Key.Public(), w.root.Key)}
	below := w.member(between, nil)
	whole := below
	whole.Chain = append(slices.Clone(below.Chain), between.Chain...)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	feeble := Credential{Chain: []*x509.Certificate{w.certificate(w.template("Weak"), w.root.Chain[0], weak.Public(), w.root.Key)}}
	curve := w.key(elliptic.P521())
	odd := Credential{Chain: []*x509.Certificate{w.certificate(w.template("P-521"), w.root.Chain[0], curve.Public(), w.root.Key)}}
	for what, c := range map[string]struct {
		cred Credential
		want string
	}{
		"good":                   {w.member(w.root, nil), ""},
		"through another":        {whole, ""},
		"without the other":      {below, "udap-certificate-untrusted"},
		"a foreign root":         {w.member(w.other, nil), "udap-certificate-untrusted"},
		"a foreign chain":        {Credential{Chain: append(w.member(w.other, nil).Chain, w.root.Chain...)}, "udap-certificate-untrusted"},
		"the anchor itself":      {w.root, "udap-leaf"},
		"an authority":           {between, "udap-leaf"},
		"expired":                {w.member(w.root, func(x *x509.Certificate) { x.NotAfter = w.clock.Now().Add(-time.Minute) }), "udap-certificate-expired"},
		"early":                  {w.member(w.root, func(x *x509.Certificate) { x.NotBefore = w.clock.Now().Add(time.Minute) }), "udap-certificate-expired"},
		"not for signatures":     {w.member(w.root, func(x *x509.Certificate) { x.KeyUsage = x509.KeyUsageKeyEncipherment }), "udap-leaf"},
		"a weak key":             {feeble, "udap-leaf"},
		"a curve that is not in": {odd, "udap-leaf"},
		"an unknown critical extension": {w.member(w.root, func(x *x509.Certificate) {
			x.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}), "udap-certificate-untrusted"},
	} {
		if got := w.verify(c.cred); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
	required := *w.trust
	required.Communities = slices.Clone(w.trust.Communities)
	required.Communities[0].CRL = CRLRequired
	if _, err := required.Verify(t.Context(), w.member(w.root, nil).Chain, ""); code(err) != "udap-revocation-unknown" {
		t.Errorf("a certificate that names no list, where it must: %v", err)
	}
	if _, err := w.trust.Verify(t.Context(), w.member(w.root, nil).Chain, "https://other.example/"); code(err) != "udap-certificate-untrusted" {
		t.Errorf("another community: %v", err)
	}
}

// UDP-12: which lists count.
func TestRevocationLists(t *testing.T) {
	for what, c := range map[string]struct {
		publish func(w *world, c Credential)
		want    string
	}{
		"not on the list":      {func(w *world, _ Credential) { w.publish(w.root, nil) }, ""},
		"on the list":          {func(w *world, c Credential) { w.publish(w.root, nil, c) }, "udap-certificate-revoked"},
		"away":                 {func(*world, Credential) {}, "udap-revocation-unknown"},
		"nonsense":             {func(w *world, _ Credential) { w.list = []byte("<html>") }, "udap-revocation-unknown"},
		"of another authority": {func(w *world, _ Credential) { w.publish(w.other, nil) }, "udap-revocation-unknown"},
		"past its end": {func(w *world, _ Credential) {
			w.publish(w.root, func(l *x509.RevocationList) {
				l.ThisUpdate, l.NextUpdate = w.clock.Now().Add(-2*time.Hour), w.clock.Now().Add(-time.Hour)
			})
		}, "udap-revocation-unknown"},
		"from the future": {func(w *world, _ Credential) {
			w.publish(w.root, func(l *x509.RevocationList) {
				l.ThisUpdate, l.NextUpdate = w.clock.Now().Add(time.Hour), w.clock.Now().Add(2*time.Hour)
			})
		}, "udap-revocation-unknown"},
		"taken off again": {func(w *world, c Credential) {
			w.publish(w.root, func(l *x509.RevocationList) { l.RevokedCertificateEntries[0].ReasonCode = reasonRemoved }, c)
		}, ""},
		"a difference only": {func(w *world, _ Credential) {
			w.publish(w.root, func(l *x509.RevocationList) {
				l.ExtraExtensions = []pkix.Extension{{Id: oidDelta, Critical: true, Value: []byte{2, 1, 1}}}
			})
		}, "udap-revocation-unknown"},
		"of authorities only": {func(w *world, _ Credential) { w.publish(w.root, scoped(w.t, scopeOfList{AuthorityOnly: true})) }, "udap-revocation-unknown"},
		"of users only":       {func(w *world, _ Credential) { w.publish(w.root, scoped(w.t, scopeOfList{UserOnly: true})) }, ""},
		"of somebody else's":  {func(w *world, _ Credential) { w.publish(w.root, scoped(w.t, scopeOfList{Indirect: true})) }, "udap-revocation-unknown"},
		"of some reasons": {func(w *world, _ Credential) {
			w.publish(w.root, scoped(w.t, scopeOfList{Reasons: asn1.BitString{Bytes: []byte{0x40}, BitLength: 2}}))
		}, "udap-revocation-unknown"},
	} {
		w := newWorld(t)
		member := w.member(w.root, named)
		c.publish(w, member)
		if got := w.verify(member); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

func scoped(t *testing.T, s scopeOfList) func(*x509.RevocationList) {
	t.Helper()
	raw, err := asn1.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: oidScope, Critical: true, Value: raw}}
	}
}

// A list counts for the grace while its host is away, and no longer; a new one
// counts after the refresh time; an older one never replaces it.
func TestListsAgeAndHostsAreAway(t *testing.T) {
	w := newWorld(t)
	member := w.member(w.root, named)
	w.publish(w.root, nil)
	old := w.list
	for range 5 {
		if got := w.verify(member); got != "" {
			t.Fatal(got)
		}
	}
	if w.fetches != 1 {
		t.Errorf("%d fetches", w.fetches)
	}
	w.list = nil
	w.clock.Advance(50 * time.Minute)
	if got := w.verify(member); got != "" {
		t.Errorf("within the grace: %s", got)
	}
	w.clock.Advance(11 * time.Minute)
	if got := w.verify(member); got != "udap-revocation-unknown" {
		t.Errorf("after the grace: %q", got)
	}
	w.publish(w.root, nil, member)
	w.clock.Advance(retryList)
	if got := w.verify(member); got != "udap-certificate-revoked" {
		t.Errorf("once it is back: %q", got)
	}
	w.list = old
	w.clock.Advance(2 * time.Minute)
	if got := w.verify(member); got != "udap-certificate-revoked" {
		t.Errorf("a replayed list: %q", got)
	}
}

// UDP-13: names are compared as they stand in the certificate.
func TestNames(t *testing.T) {
	w := newWorld(t)
	m, err := w.trust.Verify(t.Context(), w.member(w.root, nil).Chain, "")
	if err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]bool{
		clientURI: true, clientURI + "/": false, strings.ToUpper(clientURI): false, "HTTPS://clinic.example/client": false, "": false,
	} {
		if m.Named(uri) != want {
			t.Errorf("%q: %v", uri, !want)
		}
	}
	if got := sanURIs([]byte{0x30, 0x03, 0x86, 0x05, 0x61}); got != nil {
		t.Errorf("a broken name was read: %v", got)
	}
	for _, bad := range [][]string{nil, {}, {"!"}, {"AAAA"}, make([]string, 9), {strings.Repeat("A", maxCertificate+1)}} {
		if _, err := ParseX5C(bad); code(err) != "udap-x5c" {
			t.Errorf("%.20v: %v", bad, err)
		}
	}
}

// Metadata are signed for each community once a day (UDP-08, UDP-10).
func TestDocuments(t *testing.T) {
	w := newWorld(t)
	base := clientURI
	server := w.member(w.root, nil)
	w.trust.Communities[0].Server = func(string) (Credential, error) { return server, nil }
	d := &Documents{Trust: w.trust, Clock: w.clock, Places: Places{Base: base, Token: "https://as.example/token"}}
	first, err := d.Of("")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := ReadSigned(first.Signed)
	if err != nil {
		t.Fatal(err)
	}
	var claims signedClaims
	if err := signed.Claims(&claims); err != nil || claims.Issuer != base || claims.Subject != base || claims.Token != first.Token || claims.ID == "" {
		t.Errorf("%+v %v", claims, err)
	}
	w.clock.Advance(time.Hour)
	if again, err := d.Of(community); err != nil || again.Signed != first.Signed {
		t.Error("it was signed again within the day", err)
	}
	w.clock.Advance(24 * time.Hour)
	if later, err := d.Of(community); err != nil || later.Signed == first.Signed {
		t.Error("it was not signed again", err)
	}
	w.clock.Advance(365 * 24 * time.Hour)
	if _, err := d.Of(community); code(err) != "udap-server-certificate" {
		t.Errorf("an expired server certificate: %v", err)
	}
	if _, err := d.Of("https://other.example/"); code(err) != "udap-community-unknown" {
		t.Errorf("%v", err)
	}
	elsewhere := &Documents{Trust: w.trust, Clock: w.clock, Places: Places{Base: "https://other.example/fhir"}}
	if _, err := elsewhere.Of(""); code(err) != "udap-not-offered" {
		t.Errorf("another base: %v", err)
	}
	if _, err := (&Documents{Trust: &Trust{}, Clock: w.clock}).Of(""); code(err) != "udap-not-offered" {
		t.Errorf("no community: %v", err)
	}
	w.trust.Communities[0].Certifications = []string{"https://c.example/a"}
	if m := d.describe(&w.trust.Communities[0]); len(m.Certifications) != 1 || len(m.CertificationsRequired) != 1 {
		t.Errorf("certifications %v, required %v", m.Certifications, m.CertificationsRequired)
	}
}

// The doctor tells before something ends.
func TestChecks(t *testing.T) {
	w := newWorld(t)
	server := w.member(w.root, named)
	w.trust.Communities[0].Server = func(string) (Credential, error) { return server, nil }
	w.publish(w.root, nil)
	severities := func() string {
		var out []string
		for _, c := range w.trust.Checks([]string{clientURI}, false) {
			out = append(out, string(c.Look(t.Context()).Severity))
		}
		return strings.Join(out, " ")
	}
	if got := severities(); got != "fine fine fine fine" {
		t.Error(got)
	}
	w.list = nil
	w.clock.Advance(60 * 24 * time.Hour)
	if got := severities(); got != "warning warning fine warning" {
		t.Error(got)
	}
	w.clock.Advance(25 * 24 * time.Hour)
	w.trust.Communities[0].CRL = CRLOff
	if got := severities(); got != "failing failing failing fine" {
		t.Error(got)
	}
}

// Thousands of addresses without a list make nobody forget a list that counts:
// whoever has a certificate of the community may name addresses.
func TestNothingPushesOutAListThatCounts(t *testing.T) {
	w := newWorld(t)
	w.publish(w.root, nil)
	good := w.member(w.root, named)
	if got := w.verify(good); got != "" {
		t.Fatal(got)
	}
	bad := w.member(w.root, nil).Chain[0]
	w.list = nil
	for i := range 2000 {
		bad.CRLDistributionPoints = []string{listURI + strconv.Itoa(i)}
		if s := w.trust.Lists.status(t.Context(), bad, w.root.Chain[0], CRLNamed); s != StatusUnknown {
			t.Fatal(s)
		}
	}
	if was := w.fetches; w.verify(good) != "" || w.fetches != was {
		t.Errorf("%d fetches of a list that was in use", w.fetches-was)
	}
	if n := w.trust.Lists.kept.Len(); n > maxLists {
		t.Errorf("%d lists are kept", n)
	}
}
