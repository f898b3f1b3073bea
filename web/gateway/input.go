package gateway

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

var (
	errNarrative     = errs.New(errs.Unprocessable, "narrative-not-allowed", "The narrative holds what FHIR does not allow there: only basic formatting, links and images.")
	errNarrativeSize = errs.New(errs.Unprocessable, "narrative-too-large", "The narrative is larger than 256 kB: a document of that size is an attachment.")
	errReference     = errs.New(errs.Unprocessable, "reference-shape", "A reference is not of the form Type/id, #id, an http address or a urn.")
)

// checkInput judges what a client wants stored beyond its form: the narrative
// and the shapes of references (SA-16). How strictly is the mode of the rule
// "input". Errors: errs.Unprocessable.
func (a *act) checkInput(body []byte) error {
	if err := a.checkUpload(body); err != nil {
		return err
	}
	mode := a.x.g.d.Modes.Of("input")
	if mode == access.Off {
		return nil
	}
	err := harmless(body)
	if err == nil || mode == access.Enforce {
		return err
	}
	a.notice(access.Decision{WouldDeny: []access.Reason{{Rule: "input", Code: errs.As(err).Code}}})
	return nil
}

// harmless checks a resource and what it contains.
func harmless(body []byte) error {
	refs, err := view.References(body)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(refs, func(r string) bool { return !shaped(r) }) {
		return errReference
	}
	return narratives(body)
}

// shaped reports whether a literal reference has one of the forms of R4.
// Conditional ones are refused elsewhere, with a reason of their own.
func shaped(ref string) bool {
	if _, ok := fhir.ParseReference(ref); ok || strings.HasPrefix(ref, "#") || strings.Contains(ref, "?") {
		return true
	}
	u, err := url.Parse(ref)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return u.Host != "" && u.User == nil
	case "urn":
		return strings.HasPrefix(u.Opaque, "uuid:") || strings.HasPrefix(u.Opaque, "oid:")
	}
	return false
}

func narratives(body []byte) error {
	list, err := view.Members(body)
	if err != nil {
		return err
	}
	if text := view.Value(list, "text"); text != nil {
		var narrative struct{ Div string }
		if json.Unmarshal(text, &narrative) == nil && len(narrative.Div) > maxNarrative {
			return errNarrativeSize
		}
		if narrative.Div != "" && !formatting(narrative.Div) {
			return errNarrative
		}
	}
	contained := view.Value(list, "contained")
	if contained == nil {
		return nil
	}
	items, err := view.Items(contained)
	if err != nil {
		return err
	}
	for _, item := range items {
		if err := narratives(item); err != nil {
			return err
		}
	}
	return nil
}

// narrativeElements and narrativeAttributes are those that R4 §2.4.0 allows: no
// scripts, forms, frames, objects or event handlers.
var (
	narrativeElements = []string{
		"a", "abbr", "acronym", "address", "b", "bdo", "big", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "dfn", "div", "dl", "dt", "em",
		"h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "del", "kbd", "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "sup",
		"table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
	}
	narrativeAttributes = []string{
		"abbr", "align", "alt", "axis", "border", "cellpadding", "cellspacing", "char", "charoff", "cite", "class", "colspan", "compact", "datetime", "dir", "frame", "headers",
		"height", "href", "hreflang", "id", "lang", "longdesc", "name", "nowrap", "rel", "rev", "rowspan", "rules", "scope", "span", "src", "start", "style", "summary", "title",
		"valign", "value", "width", "xmlns",
	}
)

const (
	maxNarrativeDepth = 100
	// maxNarrative is how large a narrative may be, in bytes: nobody judges what is
	// in it, so it is not to carry a record.
	maxNarrative = 256 << 10
)

// formatting reports whether a narrative is one XHTML div of allowed elements.
func formatting(div string) bool {
	d := xml.NewDecoder(strings.NewReader(div))
	d.Entity = xml.HTMLEntity
	depth, roots := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return roots == 1 && depth == 0
		}
		if err != nil {
			return false
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			if depth++; depth > maxNarrativeDepth || depth == 1 && t.Name.Local != "div" || !allowedElement(t) {
				return false
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(t)) != "" {
				return false
			}
		case xml.Comment:
		default:
			// Processing instructions and document types have no place.
			return false
		}
	}
}

func allowedElement(t xml.StartElement) bool {
	const xhtml = "http://www.w3.org/1999/xhtml"
	if t.Name.Space != "" && t.Name.Space != xhtml || !slices.Contains(narrativeElements, t.Name.Local) {
		return false
	}
	return !slices.ContainsFunc(t.Attr, func(at xml.Attr) bool { return !allowedAttribute(at) })
}

func allowedAttribute(at xml.Attr) bool {
	name, value := at.Name.Local, strings.ToLower(strings.Join(strings.Fields(at.Value), ""))
	switch {
	case !slices.Contains(narrativeAttributes, name):
		return false
	case name == "style":
		return !strings.Contains(value, "url(") && !strings.Contains(value, "expression(") && !strings.Contains(value, "@import") && !strings.ContainsAny(value, `\`)
	case name == "href", name == "cite", name == "longdesc":
		return reachable(value, "http", "https", "mailto", "tel", "")
	case name == "src":
		return strings.HasPrefix(value, "data:image/") || reachable(value, "http", "https", "")
	}
	return true
}

// reachable reports whether an address is relative or of a scheme that runs
// nothing.
func reachable(value string, schemes ...string) bool {
	u, err := url.Parse(value)
	return err == nil && slices.Contains(schemes, u.Scheme)
}
