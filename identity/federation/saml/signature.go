package saml

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

var (
	errUnsigned  = errors.New("it is not signed")
	errSignature = errors.New("the signature has another form than SAML asks for, or an algorithm that is not taken")
	errNoKey     = errors.New("no key of the provider's metadata signed it")
)

// signatures and digests are the algorithms that are taken; SHA-1 is none of them.
func signatures() []string {
	return []string{dsig.RSASHA256SignatureMethod, dsig.RSASHA384SignatureMethod, dsig.RSASHA512SignatureMethod}
}

func digests() []string {
	return []string{"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmlenc#sha512"}
}

// verify checks the enveloped signature of an element by the keys, and gives what it
// covers: nothing else of the element may be read.
func verify(el *etree.Element, keys []*x509.Certificate, now time.Time) (*etree.Element, error) {
	if len(children(el, nsSignature, "Signature")) == 0 {
		return nil, errUnsigned
	}
	if !wellFormed(el) {
		return nil, errSignature
	}
	ctx, err := etreeutils.NSBuildParentContext(el)
	if err != nil {
		return nil, err
	}
	alone, err := etreeutils.NSDetatch(ctx, el)
	if err != nil {
		return nil, err
	}
	// Which key signed is for the metadata to say, not for the message.
	if sig := only(alone, nsSignature, "Signature"); sig != nil {
		for _, info := range children(sig, nsSignature, "KeyInfo") {
			sig.RemoveChild(info)
		}
	}
	for _, key := range keys {
		v := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{key}})
		v.Clock = dsig.NewFakeClockAt(now)
		if covered, err := v.Validate(alone); err == nil {
			return covered, nil
		}
	}
	return nil, errNoKey
}

// wellFormed holds the form of a signature (SAML Core §5.4): one reference, to the
// whole of the element that bears it, and no object that could hide another one.
func wellFormed(el *etree.Element) bool {
	sig := only(el, nsSignature, "Signature")
	info := onlyOf(sig, "SignedInfo")
	ref := onlyOf(info, "Reference")
	if ref == nil || onlyOf(sig, "SignatureValue") == nil || !onlyHas(sig, "SignedInfo", "SignatureValue", "KeyInfo") ||
		!onlyHas(info, "CanonicalizationMethod", "SignatureMethod", "Reference") {
		return false
	}
	id := el.SelectAttrValue("ID", "")
	if hidden(el) || id == "" || ref.SelectAttrValue("URI", "") != "#"+id {
		return false
	}
	var transforms []string
	if list := onlyOf(ref, "Transforms"); list != nil {
		for _, t := range list.ChildElements() {
			transforms = append(transforms, t.SelectAttrValue("Algorithm", ""))
		}
	}
	return algorithm(info, "CanonicalizationMethod") == string(dsig.CanonicalXML10ExclusiveAlgorithmId) &&
		slices.Contains(signatures(), algorithm(info, "SignatureMethod")) && slices.Contains(digests(), algorithm(ref, "DigestMethod")) &&
		slices.Equal(transforms, []string{string(dsig.EnvelopedSignatureAltorithmId), string(dsig.CanonicalXML10ExclusiveAlgorithmId)})
}

// hidden reports whether there is a signature where none belongs.
func hidden(el *etree.Element) bool {
	n := len(children(el, nsSignature, "Signature"))
	for _, a := range children(el, nsAssertion, "Assertion") {
		n += len(children(a, nsSignature, "Signature"))
	}
	return count(el, "Signature") != n
}

func onlyOf(el *etree.Element, tag string) *etree.Element { return only(el, nsSignature, tag) }

func algorithm(el *etree.Element, tag string) string {
	if m := onlyOf(el, tag); m != nil {
		return m.SelectAttrValue("Algorithm", "")
	}
	return ""
}

// onlyHas reports whether an element has no children but those of the names.
func onlyHas(el *etree.Element, tags ...string) bool {
	return !slices.ContainsFunc(el.ChildElements(), func(c *etree.Element) bool {
		return c.NamespaceURI() != nsSignature || !slices.Contains(tags, c.Tag)
	})
}
