package saml

import (
	"encoding/xml"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/mandate-health/mandate/identity/federation"
)

// named is a text with a format.
type named struct {
	Format string `xml:",attr"`
	Value  string `xml:",chardata"`
}

// assertion is what counts of an assertion (SAML Core §2.3.3).
type assertion struct {
	XMLName    xml.Name  `xml:"urn:oasis:names:tc:SAML:2.0:assertion Assertion"`
	ID         string    `xml:",attr"`
	Version    string    `xml:",attr"`
	Issued     time.Time `xml:"IssueInstant,attr"`
	Issuer     named     `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	NameID     []named   `xml:"Subject>NameID"`
	Confirmed  []confirm `xml:"Subject>SubjectConfirmation"`
	Conditions []limits  `xml:"Conditions"`
	LogIns     []logIn   `xml:"AuthnStatement"`
	Attributes []struct {
		Name     string  `xml:",attr"`
		Friendly string  `xml:"FriendlyName,attr"`
		Values   []named `xml:"AttributeValue"`
	} `xml:"AttributeStatement>Attribute"`
}

type confirm struct {
	Method string `xml:",attr"`
	Data   *struct {
		Before    *time.Time `xml:"NotBefore,attr"`
		Until     *time.Time `xml:"NotOnOrAfter,attr"`
		Recipient string     `xml:",attr"`
		Request   string     `xml:"InResponseTo,attr"`
	} `xml:"SubjectConfirmationData"`
}

type limits struct {
	Before    *time.Time `xml:"NotBefore,attr"`
	Until     *time.Time `xml:"NotOnOrAfter,attr"`
	Audiences []struct {
		Audience []string
	} `xml:"AudienceRestriction"`
	OneTimeUse       []struct{} `xml:"OneTimeUse"`
	ProxyRestriction []struct{} `xml:"ProxyRestriction"`
	// Unknown conditions make an assertion worthless (SAML Core §2.5.1).
	Unknown []struct{} `xml:",any"`
}

type logIn struct {
	At      time.Time  `xml:"AuthnInstant,attr"`
	Session string     `xml:"SessionIndex,attr"`
	Until   *time.Time `xml:"SessionNotOnOrAfter,attr"`
	Class   string     `xml:"AuthnContext>AuthnContextClassRef"`
}

// The longest age of an assertion, by how much the provider's clock may be wrong, and
// the longest subject in bytes (SAML Core §8.3.7).
const (
	MaxAge     = 10 * time.Minute
	MaxSkew    = time.Minute
	maxSubject = 256
)

const (
	version      = "2.0"
	bearer       = "urn:oasis:names:tc:SAML:2.0:cm:bearer" //nolint:gosec // a URI of the specification
	formatEntity = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
	persistent   = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
)

// decode reads what a signature covers.
func decode(covered *etree.Element) (a assertion, err error) {
	doc := etree.NewDocument()
	doc.SetRoot(covered)
	raw, err := doc.WriteToBytes()
	if err != nil {
		return a, err
	}
	return a, xml.Unmarshal(raw, &a)
}

// wanted is what an answer must be for.
type wanted struct {
	// entity is the provider, audience and recipient are this server.
	entity, audience, recipient string
	// subject is the attribute of Provider.Subject.
	subject string
	now     time.Time
}

// fault says why an assertion does not count, "" for one that does (SAML Profiles
// §4.1.4.3).
func (a assertion) fault(w wanted) string {
	switch {
	case a.Version != version || a.ID == "" || a.Issued.IsZero():
		return "answer-form"
	case a.Issuer.Value != w.entity || a.Issuer.Format != "" && a.Issuer.Format != formatEntity:
		return "answer-issuer"
	case a.Issued.After(w.now.Add(MaxSkew)) || w.now.Sub(a.Issued) > MaxAge:
		return "answer-late"
	case len(a.Conditions) != 1 || len(a.Conditions[0].Unknown) > 0 || len(a.LogIns) != 1:
		return "answer-form"
	}
	if !within(a.Conditions[0].Before, a.Conditions[0].Until, w.now) || !within(nil, a.LogIns[0].Until, w.now) || a.LogIns[0].At.After(w.now.Add(MaxSkew)) {
		return "answer-late"
	}
	if !a.Conditions[0].meant(w.audience) {
		return "answer-audience"
	}
	fault := "answer-form"
	for _, c := range a.Confirmed {
		if fault = c.fault(w); fault == "" {
			return ""
		}
	}
	return fault
}

// within reports whether now is between two times, either of which may be missing, with
// the skew of the clocks.
func within(before, until *time.Time, now time.Time) bool {
	return (before == nil || !now.Add(MaxSkew).Before(*before)) && (until == nil || now.Add(-MaxSkew).Before(*until))
}

// meant reports whether every restriction names an audience; one is needed.
func (l limits) meant(audience string) bool {
	for _, r := range l.Audiences {
		if !slices.ContainsFunc(r.Audience, func(a string) bool { return strings.TrimSpace(a) == audience }) {
			return false
		}
	}
	return len(l.Audiences) > 0
}

func (c confirm) fault(w wanted) string {
	switch {
	case c.Method != bearer || c.Data == nil || c.Data.Before != nil || c.Data.Until == nil:
		return "answer-form"
	case c.Data.Recipient != w.recipient:
		return "answer-recipient"
	case !within(nil, c.Data.Until, w.now):
		return "answer-late"
	case c.Data.Request == "":
		return reasonUnasked
	}
	return ""
}

// request gives the request of ours that the assertion answers.
func (a assertion) request(w wanted) string {
	for _, c := range a.Confirmed {
		if c.fault(w) == "" {
			return c.Data.Request
		}
	}
	return ""
}

// said gives what the assertion says of a person; ok is false where it does not name
// one for good.
func (a assertion) said(w wanted) (s federation.Said, ok bool) {
	s = federation.Said{Session: a.LogIns[0].Session, ACR: strings.TrimSpace(a.LogIns[0].Class), Attributes: map[string][]string{}}
	for _, one := range a.Attributes {
		for _, name := range slices.Compact([]string{one.Name, one.Friendly}) {
			for _, v := range one.Values {
				if text := strings.TrimSpace(v.Value); name != "" && text != "" {
					s.Attributes[name] = append(s.Attributes[name], text)
				}
			}
		}
	}
	switch {
	case w.subject != "":
		s.Subject = s.One(w.subject)
	case len(a.NameID) == 1 && a.NameID[0].Format == persistent:
		s.Subject = strings.TrimSpace(a.NameID[0].Value)
	}
	return s, s.Subject != "" && len(s.Subject) <= maxSubject
}
