package saml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/beevik/etree"
	xrv "github.com/mattermost/xml-roundtrip-validator"
)

// The namespaces of what is read.
const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsSignature = "http://www.w3.org/2000/09/xmldsig#"
	nsEncrypted = "http://www.w3.org/2001/04/xmlenc#"
)

// Bounds of a document.
const (
	maxDepth      = 40
	maxElements   = 4000
	maxAttributes = 40
)

var (
	errForm    = errors.New("the XML has parts that no answer needs: a document type, a comment or an instruction")
	errBounds  = errors.New("the XML is too deep or has too many elements")
	errTwiceID = errors.New("two elements have the same ID")
)

// read parses XML that means one thing only, whoever reads it: no document type, no
// entities, no comments, no instructions, no ID twice, nothing that another parser
// would read otherwise.
func read(raw []byte, mostElements int) (*etree.Element, error) {
	if err := plain(raw, mostElements); err != nil {
		return nil, err
	}
	if err := xrv.Validate(bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(raw); err != nil {
		return nil, err
	}
	if doc.Root() == nil {
		return nil, io.ErrUnexpectedEOF
	}
	seen := map[string]bool{}
	if !unique(doc.Root(), seen) {
		return nil, errTwiceID
	}
	return doc.Root(), nil
}

// plain holds the bounds before anything builds a tree.
func plain(raw []byte, mostElements int) error {
	d := xml.NewDecoder(bytes.NewReader(raw))
	depth, elements := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch v := token.(type) {
		case xml.Directive, xml.Comment:
			return errForm
		case xml.ProcInst:
			if v.Target != "xml" || d.InputOffset() > int64(len(v.Inst)+len("<?xml ?>")+len("\ufeff")) {
				return errForm
			}
		case xml.StartElement:
			depth++
			elements++
			if depth > maxDepth || elements > mostElements || len(v.Attr) > maxAttributes {
				return errBounds
			}
		case xml.EndElement:
			depth--
		}
	}
}

// unique reports whether no ID is there twice, in whichever case its name is written.
func unique(el *etree.Element, seen map[string]bool) bool {
	for _, a := range el.Attr {
		if !strings.EqualFold(a.Key, "id") {
			continue
		}
		if seen[a.Value] {
			return false
		}
		seen[a.Value] = true
	}
	for _, c := range el.ChildElements() {
		if !unique(c, seen) {
			return false
		}
	}
	return true
}

// is reports whether an element has a name.
func is(el *etree.Element, ns, tag string) bool {
	return el != nil && el.Tag == tag && el.NamespaceURI() == ns
}

// children gives those of a name.
func children(el *etree.Element, ns, tag string) (out []*etree.Element) {
	for _, c := range el.ChildElements() {
		if is(c, ns, tag) {
			out = append(out, c)
		}
	}
	return out
}

// only gives the one child of a name, nil for none and for several.
func only(el *etree.Element, ns, tag string) *etree.Element {
	if el == nil {
		return nil
	}
	if all := children(el, ns, tag); len(all) == 1 {
		return all[0]
	}
	return nil
}

// count counts the elements of a local name below and at an element, in any namespace.
func count(el *etree.Element, tag string) int {
	n := 0
	if el.Tag == tag {
		n++
	}
	for _, c := range el.ChildElements() {
		n += count(c, tag)
	}
	return n
}
