package saml

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
)

// maxMetadata bounds a document of metadata, in bytes, and of how many elements it is:
// federations put all of their members into one.
const (
	maxMetadata         = 4 << 20
	maxMetadataElements = 200_000
)

// Metadata is what counts of a provider's metadata (SAML Metadata §2.4).
type Metadata struct {
	// SignOn is where requests go by the redirect binding.
	SignOn string
	// Keys are the certificates of those that sign.
	Keys []*x509.Certificate
	// Signed says that the provider wants requests to be signed; ours are.
	Signed bool
}

// Ends gives when the last of the keys ends.
func (m Metadata) Ends() (last time.Time) {
	for _, k := range m.Keys {
		if k.NotAfter.After(last) {
			last = k.NotAfter
		}
	}
	return last
}

// Web reads metadata.
type Web struct {
	// HTTP must guard against addresses inside the network, follow no redirect and
	// end in time.
	HTTP *http.Client
	// Development takes plain http to this machine.
	Development bool
}

// Metadata reads what a provider says of itself, from its file or its URL. The error
// is for the log and for operators only.
func (w Web) Metadata(ctx context.Context, p Provider, now time.Time) (Metadata, error) {
	raw, err := w.load(ctx, p)
	if err != nil {
		return Metadata{}, fmt.Errorf("the metadata cannot be read: %w", err)
	}
	m, err := ReadMetadata(raw, p.EntityID, now)
	if err != nil {
		return Metadata{}, err
	}
	if !address(m.SignOn, w.Development) {
		return Metadata{}, errors.New("the metadata has no SingleSignOnService of the HTTP-Redirect binding that may be used")
	}
	return m, nil
}

func (w Web) load(ctx context.Context, p Provider) ([]byte, error) {
	if p.MetadataFile != "" {
		f, err := os.Open(p.MetadataFile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return bounded(f)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.MetadataURL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", mediaType)
	res, err := w.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer has status %d", res.StatusCode)
	}
	return bounded(res.Body)
}

func bounded(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxMetadata+1))
	if err == nil && len(raw) > maxMetadata {
		err = errors.New("it is too long")
	}
	return raw, err
}

// ReadMetadata reads the description of an entity from its own document or from that
// of a federation. The error is for operators only.
func ReadMetadata(raw []byte, entity string, now time.Time) (m Metadata, err error) {
	root, err := readMetadata(raw)
	if err != nil {
		return m, fmt.Errorf("the metadata cannot be read: %w", err)
	}
	const ns = "urn:oasis:names:tc:SAML:2.0:metadata"
	var found *etree.Element
	all := []*etree.Element{root}
	for len(all) > 0 && found == nil {
		el := all[0]
		all = all[1:]
		if ended(el, now) {
			continue
		}
		if is(el, ns, "EntityDescriptor") && el.SelectAttrValue("entityID", "") == entity {
			found = el
		}
		all = append(all, children(el, ns, "EntitiesDescriptor")...)
		all = append(all, children(el, ns, "EntityDescriptor")...)
	}
	if found == nil {
		return m, fmt.Errorf("the metadata does not describe %s, or has ended", entity)
	}
	role := only(found, ns, "IDPSSODescriptor")
	if role == nil || ended(role, now) || !slices.Contains(strings.Fields(role.SelectAttrValue("protocolSupportEnumeration", "")), nsProtocol) {
		return m, errors.New("the metadata has no IDPSSODescriptor of SAML 2.0 that counts")
	}
	for _, s := range children(role, ns, "SingleSignOnService") {
		if s.SelectAttrValue("Binding", "") == saml.HTTPRedirectBinding && m.SignOn == "" {
			m.SignOn = s.SelectAttrValue("Location", "")
		}
	}
	m.Signed = role.SelectAttrValue("WantAuthnRequestsSigned", "") == "true"
	for _, k := range children(role, ns, "KeyDescriptor") {
		if use := k.SelectAttrValue("use", "signing"); use == "signing" {
			m.Keys = append(m.Keys, certificates(k)...)
		}
	}
	if len(m.Keys) == 0 {
		return m, errors.New("the metadata has no certificate of an RSA key of 2048 bits or more for signatures")
	}
	return m, nil
}

// readMetadata is read without the rules for comments and IDs: metadata is believed as
// a whole, for where it comes from.
func readMetadata(raw []byte) (*etree.Element, error) {
	err := plain(raw, maxMetadataElements)
	if err != nil && !errors.Is(err, errForm) {
		return nil, err
	}
	if strings.Contains(string(raw), "<!DOCTYPE") || strings.Contains(string(raw), "<!ENTITY") {
		return nil, errForm
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(raw); err != nil {
		return nil, err
	}
	if doc.Root() == nil {
		return nil, io.ErrUnexpectedEOF
	}
	return doc.Root(), nil
}

func ended(el *etree.Element, now time.Time) bool {
	text := el.SelectAttrValue("validUntil", "")
	until, err := time.Parse(time.RFC3339, text)
	return text != "" && (err != nil || !now.Before(until))
}

// certificates gives those of strong RSA keys.
func certificates(key *etree.Element) (out []*x509.Certificate) {
	for _, info := range children(key, nsSignature, "KeyInfo") {
		for _, data := range children(info, nsSignature, "X509Data") {
			for _, c := range children(data, nsSignature, "X509Certificate") {
				der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(c.Text()), ""))
				if err != nil {
					continue
				}
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					continue
				}
				if k, ok := cert.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() >= minRSABits {
					out = append(out, cert)
				}
			}
		}
	}
	return out
}

// mediaType is that of metadata (SAML Metadata, appendix A).
const mediaType = "application/samlmetadata+xml"

// ownMetadata is how long our own metadata counts.
const ownMetadata = 7 * 24 * time.Hour

// Own gives the metadata of this server, which the provider reads, and its media type.
// Errors: errs.Internal.
func (c *Client) Own() (raw []byte, media string, err error) {
	signed, persist := true, persistent
	certificate := base64.StdEncoding.EncodeToString(c.Provider.Certificate.Raw)
	key := func(use string, methods ...string) saml.KeyDescriptor {
		k := saml.KeyDescriptor{Use: use, KeyInfo: saml.KeyInfo{X509Data: saml.X509Data{X509Certificates: []saml.X509Certificate{{Data: certificate}}}}}
		for _, m := range methods {
			k.EncryptionMethods = append(k.EncryptionMethods, saml.EncryptionMethod{Algorithm: m})
		}
		return k
	}
	role := saml.SPSSODescriptor{
		AuthnRequestsSigned: &signed, WantAssertionsSigned: &signed,
		AssertionConsumerServices: []saml.IndexedEndpoint{{Binding: saml.HTTPPostBinding, Location: c.Receiver, Index: 1, IsDefault: &signed}},
	}
	role.ProtocolSupportEnumeration = nsProtocol
	role.KeyDescriptors = []saml.KeyDescriptor{
		key("signing"),
		key("encryption", "http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2009/xmlenc11#aes128-gcm",
			nsEncrypted+"aes256-cbc", nsEncrypted+"aes128-cbc", nsEncrypted+"rsa-oaep-mgf1p"),
	}
	if c.Provider.Subject == "" {
		role.NameIDFormats = []saml.NameIDFormat{saml.NameIDFormat(persist)}
	}
	raw, err = xml.MarshalIndent(saml.EntityDescriptor{
		EntityID: c.Entity, ValidUntil: c.Clock.Now().UTC().Add(ownMetadata).Truncate(time.Second), SPSSODescriptors: []saml.SPSSODescriptor{role},
	}, "", "  ")
	if err != nil {
		return nil, "", errInternal(err)
	}
	return append([]byte(xml.Header), raw...), mediaType, nil
}
