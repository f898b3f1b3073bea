package saml

import (
	"compress/flate"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/beevik/etree"
	library "github.com/crewjam/saml"
	"github.com/crewjam/saml/xmlenc"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/internal/errs"
)

// NI-14: the request is ours, signed, and says where the answer goes; what the provider
// says of a person arrives, open and encrypted.
func TestALogIn(t *testing.T) {
	w := newWorld(t)
	to := w.away(true)
	before, signature, _ := strings.Cut(to.RawQuery, "&Signature=")
	signature, _ = url.QueryUnescape(signature)
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(before))
	if err := rsa.VerifyPKCS1v15(&w.Provider.Key.PublicKey, crypto.SHA256, digest[:], raw); err != nil {
		t.Error(err)
	}
	packed, err := base64.StdEncoding.DecodeString(to.Query().Get("SAMLRequest"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(flate.NewReader(strings.NewReader(string(packed))))
	if err != nil {
		t.Fatal(err)
	}
	var req library.AuthnRequest
	unmarshal(t, text, &req)
	if req.ID != w.request || req.AssertionConsumerServiceURL != receiver || req.Issuer.Value != ours || req.ForceAuthn == nil || !*req.ForceAuthn ||
		*req.NameIDPolicy.Format != persistent || len(to.Query().Get("RelayState")) > 80 {
		t.Errorf("the request: %s", text)
	}
	for what, a := range map[string]answer{
		"open": {}, "both signed": {outside: true}, "shut": {to: w.Provider.Certificate, cipher: gcm{}},
		"shut by CBC": {to: w.Provider.Certificate, cipher: xmlenc.AES256CBC, outside: true},
	} {
		w.away(true)
		back, err := w.back(w.encoded(a))
		if err != nil || back.Subject != "rosa-7" || back.ACR != "urn:two" || back.Session != "s1" || back.One("mrn") != "7" || back.One("urn:mrn") != "7" || back.Next != "/apps" || back.Answer != "_a1" {
			t.Errorf("%s: %v %+v", what, err, back)
		}
	}
}

// bad are answers that must not count, by the reason that the audit log gets.
func (w *world) bad(t *testing.T) map[string]map[string]answer {
	stranger := newPair(t, w.clock.Now(), 2048)
	return map[string]map[string]answer{
		"answer-unsigned": {"nothing signed": {unsigned: true}, "only the response signed": {unsigned: true, outside: true}},
		"answer-signature": {
			"another key": {by: stranger}, "SHA-1": {method: dsig.RSASHA1SignatureMethod},
			"changed":            {late: func(s string) string { return strings.Replace(s, "rosa-7", "hale-1", 1) }},
			"a key of its own":   {by: stranger, outside: true},
			"a reference to all": {late: func(s string) string { return strings.Replace(s, `URI="#_a1"`, `URI=""`, 1) }},
			"another ID":         {late: func(s string) string { return strings.Replace(s, `URI="#_a1"`, `URI="#_r1"`, 1) }},
		},
		"answer-audience": {
			"another":    {texts: []string{"<saml:Audience>" + ours, "<saml:Audience>https://other.example"}},
			"none":       {texts: []string{"<saml:AudienceRestriction><saml:Audience>" + ours + "</saml:Audience></saml:AudienceRestriction>", ""}},
			"one of two": {texts: []string{"</saml:AudienceRestriction>", "</saml:AudienceRestriction><saml:AudienceRestriction><saml:Audience>https://other.example</saml:Audience></saml:AudienceRestriction>"}},
		},
		"answer-recipient": {
			"another":             {texts: []string{`Recipient="` + receiver, `Recipient="https://other.example/acs`}},
			"another destination": {outer: []string{`Destination="` + receiver, `Destination="https://other.example/acs`}},
		},
		"answer-issuer": {
			"another":         {texts: []string{"<saml:Issuer>" + entity, "<saml:Issuer>https://evil.example"}},
			"another outside": {outer: []string{">" + entity, ">https://evil.example"}},
		},
		"answer-late": {
			"ended":           {texts: []string{`NotOnOrAfter="{soon}`, `NotOnOrAfter="{past}`}},
			"not begun":       {texts: []string{`NotBefore="{ago}`, `NotBefore="{soon}`}},
			"old":             {texts: []string{`IssueInstant="{now}`, `IssueInstant="{old}`}},
			"of the future":   {texts: []string{`IssueInstant="{now}`, `IssueInstant="{soon}`}},
			"a session ended": {texts: []string{`SessionIndex=`, `SessionNotOnOrAfter="{past}" SessionIndex=`}},
		},
		"answer-form": {
			"no confirmation":      {texts: []string{bearer, "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"}},
			"no end":               {texts: []string{`NotOnOrAfter="{soon}" Recipient`, "Recipient"}},
			"an unknown condition": {texts: []string{"<saml:AudienceRestriction>", `<x:Only xmlns:x="urn:x"/><saml:AudienceRestriction>`}},
			"another version":      {texts: []string{`Version="2.0"`, `Version="1.1"`}},
		},
		"answer-subject": {
			"a transient name": {texts: []string{persistent, "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}},
			"no name":          {texts: []string{"rosa-7", " "}},
		},
		"answer-unreadable": {
			"a comment in the name": {late: func(s string) string { return strings.Replace(s, "rosa-7", "rosa<!-- -->-7", 1) }},
			"a document type":       {late: func(s string) string { return `<!DOCTYPE a [<!ENTITY b "c">]>` + s }},
			"an entity":             {late: func(s string) string { return strings.Replace(s, "rosa-7", "&b;", 1) }},
			"an instruction":        {late: func(s string) string { return s + "<?x y?>" }},
			"too deep":              {late: func(string) string { return strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100) }},
			"too much":              {late: func(string) string { return "<a>" + strings.Repeat("<b/>", maxElements) + "</a>" }},
			"too long":              {late: func(string) string { return "<a>" + strings.Repeat(" ", maxAnswer) + "</a>" }},
			"two of an ID":          {outer: []string{`"_r1"`, `"_a1"`}},
			"no XML":                {late: func(string) string { return "rosa" }},
			"nothing":               {late: func(string) string { return "" }},
		},
		"answer-cipher": {
			"CBC without a proof": {to: w.Provider.Certificate, cipher: xmlenc.AES128CBC},
			"to somebody else":    {to: stranger.cert, cipher: gcm{}},
		},
		"answer-request": {
			"of another request":      {outer: []string{w.request, "_other"}, texts: []string{w.request, "_other"}},
			"of another outside":      {outer: []string{w.request, "_other"}},
			"of another in the proof": {texts: []string{w.request, "_other"}},
		},
		"answer-status": {"a failure": {outer: []string{"status:Success", "status:Responder"}}},
	}
}

// NI-14: what is not as it must be does not count, says why to the audit log, and the
// same to everybody else.
func TestBadAnswers(t *testing.T) {
	w := newWorld(t)
	w.away(false)
	for reason, all := range w.bad(t) {
		for what, a := range all {
			_, err := w.back(w.encoded(a))
			var refused *federation.Refused
			if !errors.As(err, &refused) || refused.Reason != reason {
				t.Errorf("%s: %v instead of %s", what, err, reason)
				continue
			}
			if code := errs.As(err).Code; code != "upstream-answer" && reason != "answer-request" {
				t.Errorf("%s: the browser is told %s", what, code)
			}
		}
	}
}

// NI-14: a good signature somewhere does not carry a forged assertion in (signature
// wrapping, in the forms of Somorovsky et al. 2012).
func TestWrappedSignatures(t *testing.T) {
	w := newWorld(t)
	w.away(false)
	evil := func(real *etree.Element) *etree.Element {
		e := parse(t, w.times(strings.Replace(w.assertion(), "rosa-7", "hale-1", 1)))
		e.CreateAttr("ID", "_evil")
		return e
	}
	for what, wrap := range map[string]func(response, real *etree.Element){
		"beside, before": func(r, real *etree.Element) { r.InsertChildAt(real.Index(), evil(real)) },
		"beside, after":  func(r, real *etree.Element) { r.AddChild(evil(real)) },
		"around": func(r, real *etree.Element) {
			e := evil(real)
			r.AddChild(e)
			e.AddChild(r.RemoveChild(real))
		},
		"in an extension": func(r, real *etree.Element) {
			x := r.CreateElement("samlp:Extensions")
			x.AddChild(r.RemoveChild(real))
			r.AddChild(evil(real))
		},
		"in an object of the signature": func(r, real *etree.Element) {
			e := evil(real)
			sig := only(real, nsSignature, "Signature").Copy()
			sig.CreateElement("ds:Object").AddChild(real.Copy())
			e.AddChild(sig)
			r.RemoveChild(real)
			r.AddChild(e)
		},
		"with the signature of the other": func(r, real *etree.Element) {
			e := evil(real)
			e.AddChild(only(real, nsSignature, "Signature").Copy())
			r.RemoveChild(real)
			r.AddChild(e)
		},
		"a response in a response": func(r, real *etree.Element) {
			inner := r.Copy()
			inner.CreateAttr("ID", "_r2")
			r.RemoveChild(real)
			r.AddChild(inner)
		},
	} {
		back, err := w.back(w.encoded(answer{wrap: wrap}))
		if err == nil || back.Subject != "" {
			t.Errorf("%s: %q came in", what, back.Subject)
		}
		if errs.As(err).Code != "upstream-answer" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// NI-14: an answer counts in the browser that asked, in time, once, and after a fresh
// log-in where one was asked for.
func TestWhoseAnswerItIs(t *testing.T) {
	for what, c := range map[string]struct {
		bend func(*world, *federation.Return)
		code string
	}{
		"as it should be": {func(*world, *federation.Return) {}, ""},
		"another browser": {func(_ *world, r *federation.Return) { r.Browser = "b2" }, "upstream-state"},
		"no cookie":       {func(_ *world, r *federation.Return) { r.Kept = "" }, "upstream-state"},
		"a newer attempt": {func(w *world, r *federation.Return) { w.away(false); r.Kept = w.kept }, "upstream-state"},
		"too late":        {func(w *world, _ *federation.Return) { w.clock.Advance(federation.TripLife) }, "upstream-state"},
		"another handle":  {func(_ *world, r *federation.Return) { r.Query.Set("answer", "x") }, "upstream-state"},
		"two handles":     {func(_ *world, r *federation.Return) { r.Query.Add("answer", "x") }, "upstream-state"},
		"taken before":    {func(w *world, r *federation.Return) { _, _ = w.Land(w.t.Context(), *r) }, "upstream-state"},
	} {
		w := newWorld(t)
		w.away(false)
		to, _, err := w.Receive(t.Context(), url.Values{"SAMLResponse": {w.encoded(answer{})}})
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(to)
		r := federation.Return{Query: u.Query(), Kept: w.kept, Browser: "b1"}
		c.bend(w, &r)
		if _, err := w.Land(t.Context(), r); (err == nil) != (c.code == "") || err != nil && errs.As(err).Code != c.code {
			t.Errorf("%s: %v", what, err)
		}
	}
	w := newWorld(t)
	w.away(true)
	old := answer{texts: []string{`AuthnInstant="{now}`, `AuthnInstant="{old}`}}
	if _, err := w.back(w.encoded(old)); errs.As(err).Code != "upstream-answer" {
		t.Errorf("a log-in of an hour ago is fresh: %v", err)
	}
}

// NI-14: who comes unasked begins a log-in of ours where the operator says so, and is
// turned away otherwise; who did not sign in there is told so.
func TestUnaskedAndDenied(t *testing.T) {
	w := newWorld(t)
	w.away(false)
	unasked := url.Values{"SAMLResponse": {w.encoded(answer{texts: []string{`InResponseTo="` + w.request + `" `, ""}, outer: []string{`InResponseTo="` + w.request + `"`, ""}})}}
	if _, again, err := w.Receive(t.Context(), unasked); again || errs.As(err).Code != "idp-unasked" {
		t.Errorf("%v %v", again, err)
	}
	w.Provider.Unasked = true
	if to, again, err := w.Receive(t.Context(), unasked); !again || err != nil || to != "" {
		t.Errorf("%v %v", again, err)
	}
	denied := answer{outer: []string{
		`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`,
		`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/></samlp:StatusCode>`,
	}}
	if _, err := w.back(w.encoded(denied)); errs.As(err).Code != "idp-denied" {
		t.Error(err)
	}
}

// NI-14: metadata counts for the pinned provider, while it lasts, with strong keys and
// safe addresses.
func TestMetadataOfProviders(t *testing.T) {
	w := newWorld(t)
	good := describe(w.idp.cert, "")
	weak := newPair(t, w.clock.Now(), 1024)
	federated := `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` + strings.ReplaceAll(good, entity, "https://other.example") + good + `</EntitiesDescriptor>`
	for what, c := range map[string]struct {
		status int
		text   string
		ok     bool
	}{
		"good": {200, good, true}, "one of a federation": {200, federated, true},
		"another entity": {200, strings.ReplaceAll(good, entity, "https://evil.example"), false},
		"ended":          {200, describe(w.idp.cert, `validUntil="2001-01-01T00:00:00Z"`), false},
		"a weak key":     {200, describe(weak.cert, ""), false},
		"an open line":   {200, strings.ReplaceAll(good, "https://idp.example/sso", "http://idp.example/sso"), false},
		"a script":       {200, strings.ReplaceAll(good, "https://idp.example/sso", "javascript:alert(1)"), false},
		"only by post":   {200, strings.ReplaceAll(good, library.HTTPRedirectBinding, library.HTTPPostBinding), false},
		"a bomb":         {200, `<!DOCTYPE a [<!ENTITY b "c">]>` + good, false},
		"too long":       {200, good + strings.Repeat(" ", maxMetadata), false},
		"away":           {500, good, false},
	} {
		s := served(t, c.status, c.text)
		p := w.Provider
		p.MetadataFile, p.MetadataURL = "", s.URL
		if _, err := (Web{s.Client(), false}).Metadata(t.Context(), p, w.clock.Now()); (err == nil) != c.ok {
			t.Errorf("%s: %v", what, err)
		}
	}
	m, err := w.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if faults, soon := w.Provider.Suits(m, w.clock.Now()); len(faults)+len(soon) > 0 {
		t.Error(faults, soon)
	}
	if _, soon := w.Provider.Suits(m, w.clock.Now().AddDate(1, 0, -7)); len(soon) != 2 {
		t.Error(soon)
	}
	if faults, _ := w.Provider.Suits(m, w.clock.Now().AddDate(1, 0, 7)); len(faults) != 2 {
		t.Error(faults)
	}
}

// Every fault of a description is told.
func TestCheckOfAProvider(t *testing.T) {
	good := Provider{
		Provider: federation.Provider{ID: "hospital", Name: "Hospital", For: []federation.Audience{federation.ForStaff}},
		EntityID: entity, MetadataURL: entity, KeyFile: "k", CertificateFile: "c",
	}
	if faults := good.Check(false); len(faults) > 0 {
		t.Error(faults)
	}
	for what, bend := range map[string]func(*Provider){
		"no entity": func(p *Provider) { p.EntityID = "hospital" }, "two sources": func(p *Provider) { p.MetadataFile = "f" },
		"an open line": func(p *Provider) { p.MetadataURL = "http://idp.example" }, "no key": func(p *Provider) { p.KeyFile = "" },
		"methods":     func(p *Provider) { p.Assurance = []federation.Assurance{{AMR: []string{"mfa"}, Level: 2}} },
		"two classes": func(p *Provider) { p.Context = "urn:a urn:b" },
	} {
		p := good
		bend(&p)
		if faults := p.Check(false); len(faults) != 1 {
			t.Errorf("%s: %v", what, faults)
		}
	}
}
