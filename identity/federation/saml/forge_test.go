package saml

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	library "github.com/crewjam/saml"
	"github.com/crewjam/saml/xmlenc"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

const (
	entity   = "https://idp.example/metadata"
	ours     = "https://here.example/signin/with/hospital/metadata"
	receiver = "https://here.example/signin/with/hospital/acs"
)

// plainly keeps attempts without a seal.
type plainly struct{}

func (plainly) Seal(_ context.Context, v any) (string, error) {
	raw, err := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(raw), err
}

func (plainly) Open(_ context.Context, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(raw) == 0 {
		return nil, errs.New(errs.Unauthenticated, "token-invalid", "It was not sealed here.")
	}
	return raw, nil
}

// shelf keeps answers.
type shelf map[string]string

func (s shelf) Keep(_ context.Context, handle, sealed string, _ time.Time) error {
	s[handle] = sealed
	return nil
}

func (s shelf) Take(_ context.Context, handle string) (string, error) {
	v, ok := s[handle]
	if !ok {
		return "", errs.New(errs.NotFound, "answer-not-found", "There is no such answer.")
	}
	delete(s, handle)
	return v, nil
}

// pair is a key with its certificate.
type pair struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

func newPair(t *testing.T, now time.Time, bits int) pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "saml"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{key, cert}
}

// world is a provider that can be told to lie, and the client that it answers.
type world struct {
	*Client
	t     *testing.T
	clock *clock.Movable
	idp   pair
	// kept is what the browser keeps, request the id of what it asked.
	kept, request string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: &clock.Movable{}}
	w.idp = newPair(t, w.clock.Now(), 2048)
	mine := newPair(t, w.clock.Now(), 2048)
	file := filepath.Join(t.TempDir(), "idp.xml")
	if err := os.WriteFile(file, []byte(describe(w.idp.cert, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Client = New(Deps{
		Provider: Provider{Provider: federation.Provider{ID: "hospital"}, EntityID: entity, MetadataFile: file, Key: mine.key, Certificate: mine.cert},
		Entity:   ours, Receiver: receiver, Callback: "https://here.example/back", Answers: shelf{}, Sealer: plainly{}, Clock: w.clock, IDs: ids.Source{},
	})
	return w
}

// describe is the metadata of the provider.
func describe(cert *x509.Certificate, attributes string) string {
	return fmt.Sprintf(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s" %s>`+
		`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing">`+
		`<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`+
		`<SingleSignOnService Binding="%s" Location="https://idp.example/sso"/></IDPSSODescriptor></EntityDescriptor>`,
		entity, attributes, base64.StdEncoding.EncodeToString(cert.Raw), library.HTTPRedirectBinding)
}

// away begins a log-in and gives the request that the browser carries.
func (w *world) away(fresh bool) *url.URL {
	w.t.Helper()
	d, err := w.Depart(w.t.Context(), federation.Trip{Browser: "b1", Next: "/apps"}, fresh)
	if err != nil {
		w.t.Fatal(err)
	}
	var a attempt
	raw, _ := plainly{}.Open(w.t.Context(), d.Kept)
	if err := json.Unmarshal(raw, &a); err != nil {
		w.t.Fatal(err)
	}
	w.kept, w.request = d.Kept, a.Request
	to, err := url.Parse(d.To)
	if err != nil {
		w.t.Fatal(err)
	}
	return to
}

// answer is a response on its way: each part may be bent.
type answer struct {
	// texts replaces parts of the assertion before it is signed, outer those of the
	// response.
	texts, outer []string
	method       string
	by           pair
	// unsigned leaves the assertion without a signature, outside signs the response;
	// to encrypts to a certificate by a cipher.
	unsigned, outside bool
	to                *x509.Certificate
	cipher            xmlenc.BlockCipher
	// wrap rearranges what was signed, late changes the final text.
	wrap func(response, assertion *etree.Element)
	late func(string) string
}

// gcm is AES-256 in Galois mode, which the library does not speak as XML Encryption
// has it.
type gcm struct{ xmlenc.BlockCipher }

func (gcm) KeySize() int      { return 32 }
func (gcm) Algorithm() string { return "http://www.w3.org/2009/xmlenc11#aes256-gcm" }

func (g gcm) Encrypt(key any, plain, nonce []byte) (*etree.Element, error) {
	secret, ok := key.([]byte)
	if !ok {
		return nil, xmlenc.ErrIncorrectKeyType("[]byte")
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	el := etree.NewElement("xenc:EncryptedData")
	el.CreateAttr("xmlns:xenc", nsEncrypted)
	el.CreateElement("xenc:EncryptionMethod").CreateAttr("Algorithm", g.Algorithm())
	data := el.CreateElement("xenc:CipherData")
	data.CreateElement("xenc:CipherValue").SetText(base64.StdEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, nil)))
	return el, nil
}

// times puts the times into a template.
func (w *world) times(text string) string {
	at := func(d time.Duration) string { return w.clock.Now().Add(d).UTC().Format(time.RFC3339) }
	return strings.NewReplacer("{now}", at(0), "{soon}", at(2*time.Minute), "{ago}", at(-time.Minute), "{past}", at(-2*time.Minute), "{old}", at(-11*time.Minute)).Replace(text)
}

// assertion is the template of one.
func (w *world) assertion() string {
	return `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="{now}"><saml:Issuer>` + entity + `</saml:Issuer>` +
		`<saml:Subject><saml:NameID Format="` + persistent + `">rosa-7</saml:NameID><saml:SubjectConfirmation Method="` + bearer + `">` +
		`<saml:SubjectConfirmationData InResponseTo="` + w.request + `" NotOnOrAfter="{soon}" Recipient="` + receiver + `"/></saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotBefore="{ago}" NotOnOrAfter="{soon}"><saml:AudienceRestriction><saml:Audience>` + ours + `</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
		`<saml:AuthnStatement AuthnInstant="{now}" SessionIndex="s1"><saml:AuthnContext><saml:AuthnContextClassRef>urn:two</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>` +
		`<saml:AttributeStatement><saml:Attribute Name="urn:mrn" FriendlyName="mrn"><saml:AttributeValue>7</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>`
}

func parse(t *testing.T, text string) *etree.Element {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}

func sign(t *testing.T, el *etree.Element, by pair, method string) *etree.Element {
	t.Helper()
	c, err := dsig.NewSigningContext(by.key, [][]byte{by.cert.Raw})
	if err != nil {
		t.Fatal(err)
	}
	c.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := c.SetSignatureMethod(method); err != nil {
		t.Fatal(err)
	}
	out, err := c.SignEnveloped(el)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// encoded gives the form field of an answer.
func (w *world) encoded(a answer) string {
	w.t.Helper()
	if a.by.key == nil {
		a.by = w.idp
	}
	if a.method == "" {
		a.method = dsig.RSASHA256SignatureMethod
	}
	inner := parse(w.t, w.times(strings.NewReplacer(a.texts...).Replace(w.assertion())))
	if !a.unsigned {
		inner = sign(w.t, inner, a.by, a.method)
	}
	response := parse(w.t, strings.NewReplacer(a.outer...).Replace(`<samlp:Response xmlns:samlp="`+nsProtocol+`" ID="_r1" Version="2.0" IssueInstant="`+
		w.clock.Now().UTC().Format(time.RFC3339)+`" Destination="`+receiver+`" InResponseTo="`+w.request+`"><saml:Issuer xmlns:saml="`+nsAssertion+`">`+entity+
		`</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status></samlp:Response>`))
	child := inner
	if a.to != nil {
		child = w.shut(inner, a)
	}
	response.AddChild(child)
	if a.outside {
		response = sign(w.t, response, a.by, a.method)
	}
	if a.wrap != nil {
		a.wrap(response, only(response, nsAssertion, "Assertion"))
	}
	doc := etree.NewDocument()
	doc.SetRoot(response)
	text, err := doc.WriteToString()
	if err != nil {
		w.t.Fatal(err)
	}
	if a.late != nil {
		text = a.late(text)
	}
	return base64.StdEncoding.EncodeToString([]byte(text))
}

func (w *world) shut(inner *etree.Element, a answer) *etree.Element {
	w.t.Helper()
	doc := etree.NewDocument()
	doc.SetRoot(inner)
	raw, err := doc.WriteToBytes()
	if err != nil {
		w.t.Fatal(err)
	}
	how := xmlenc.OAEP()
	how.BlockCipher, how.DigestMethod = a.cipher, &xmlenc.SHA1
	data, err := how.Encrypt(a.to, raw, []byte("twelve bytes"))
	if err != nil {
		w.t.Fatal(err)
	}
	out := etree.NewElement("saml:EncryptedAssertion")
	out.CreateAttr("xmlns:saml", nsAssertion)
	out.AddChild(data)
	return out
}

// back posts an answer and comes for it.
func (w *world) back(encoded string) (federation.Arrived, error) {
	w.t.Helper()
	to, _, err := w.Receive(w.t.Context(), url.Values{"SAMLResponse": {encoded}})
	if err != nil {
		return federation.Arrived{}, err
	}
	u, err := url.Parse(to)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Land(w.t.Context(), federation.Return{Query: u.Query(), Kept: w.kept, Browser: "b1"})
}

// served gives a document over HTTP.
func served(t *testing.T, status int, text string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(s.Close)
	return s
}

// unmarshal reads XML as the library does.
func unmarshal(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := xml.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}
