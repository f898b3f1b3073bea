package broken

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// udapRegister is where the good server takes software statements, udapBack where
// people come back from a provider elsewhere.
const (
	udapRegister = "/udap/register"
	udapBack     = "/signin/idp/callback"
)

// authority gives the authority of the community, whose key the ready file tells.
func (p *Proxy) authority() (kit.Authority, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready.UDAPCA.Authority()
}

// vouch signs claims anew with a certificate for a URI: that of the community's
// authority, or of one that nobody trusts.
func (p *Proxy) vouch(uri string, body map[string]any, strange bool) (string, bool) {
	a, err := p.authority()
	if strange {
		a, err = kit.NewAuthority(p.now())
	}
	if err != nil {
		return "", false
	}
	m, err := a.Issue(uri, p.now(), nil, nil)
	if err != nil {
		return "", false
	}
	signed, err := m.Sign(kit.Assertion{Claims: body})
	return signed, err == nil
}

// genuine reports whether the community vouches for the certificate of a JWS,
// which its key signed.
func (p *Proxy) genuine(compact string) bool {
	a, err := p.authority()
	if err != nil {
		return false
	}
	chain, _, err := kit.ReadJWS(compact)
	return err == nil && chain[0].CheckSignatureFrom(a.Certificate) == nil
}

// statement changes software statements that came from whom a test wants, and
// signs them anew.
func (p *Proxy) statement(who func(compact string) bool, change func(body map[string]any)) func(*http.Request) {
	return func(r *http.Request) {
		if r.URL.Path != udapRegister || r.Method != http.MethodPost {
			return
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		doc := map[string]any{}
		if json.Unmarshal(raw, &doc) == nil {
			compact, _ := doc["software_statement"].(string)
			body := claims(compact)
			if uri, _ := body["iss"].(string); uri != "" && who(compact) {
				change(body)
				if doc["software_statement"], _ = p.vouch(uri, body, false); doc["software_statement"] != "" {
					raw, _ = json.Marshal(doc)
				}
			}
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	}
}

// proof changes the assertions of members, as statement does.
func (p *Proxy) proof(who func(compact string) bool, change func(body map[string]any)) func(*http.Request) {
	return tokenForm(func(f url.Values) {
		compact := f.Get("client_assertion")
		body := claims(compact)
		id, _ := body["iss"].(string)
		p.mu.Lock()
		uri := p.members[id]
		p.mu.Unlock()
		if uri == "" || !who(compact) {
			return
		}
		change(body)
		if signed, ok := p.vouch(uri, body, false); ok {
			f.Set("client_assertion", signed)
		}
	})
}

// enrolled notes who registered under which client_id.
func (p *Proxy) enrolled(doc map[string]any) {
	id, _ := doc["client_id"].(string)
	statement, _ := doc["software_statement"].(string)
	if uri, _ := claims(statement)["iss"].(string); uri != "" && id != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.members[id] = uri
	}
}

// signedMetadata changes the claims of the metadata, and signs them anew.
func (p *Proxy) signedMetadata(strange bool, change func(body map[string]any)) func(*http.Response) {
	return at("/.well-known/udap", object(func(doc map[string]any) {
		compact, _ := doc["signed_metadata"].(string)
		body := claims(compact)
		uri, _ := body["iss"].(string)
		change(body)
		if signed, ok := p.vouch(uri, body, strange); ok {
			doc["signed_metadata"] = signed
		}
	}))
}

// memberTokens changes the token answers to members.
func memberTokens(change func(map[string]any)) (func(*http.Request), func(*http.Response)) {
	const mark = "X-Member"
	return tokenFormOf(func(r *http.Request, f url.Values) {
			if f.Get("udap") != "" {
				r.Header.Set(mark, "1")
			}
		}), func(r *http.Response) {
			if r.Request.Header.Get(mark) != "" {
				tokenMember(change)(r)
			}
		}
}

// tokenFormOf is tokenForm with the request itself.
func tokenFormOf(change func(*http.Request, url.Values)) func(*http.Request) {
	return func(r *http.Request) { tokenForm(func(f url.Values) { change(r, f) })(r) }
}

// communityFaults break UDAP.
func (p *Proxy) communityFaults() []Fault {
	meta := func(change func(map[string]any)) func(*http.Response) { return at("/.well-known/udap", object(change)) }
	registered := func(change func(map[string]any)) func(*http.Response) { return at(udapRegister, object(change)) }
	as := func(change func(map[string]any)) func(*http.Request) { return p.statement(p.genuine, change) }
	anybody := func(string) bool { return true }
	nothing := func(map[string]any) {}
	long, longAnswer := memberTokens(set("expires_in", 7200))
	all, allAnswer := memberTokens(func(d map[string]any) {
		if scope, _ := d["scope"].(string); strings.Contains(scope, "launch") {
			d["scope"] = scope + " udap"
		}
	})
	return append([]Fault{
		{Name: "the metadata is not signed", response: meta(drop("signed_metadata")), Rows: []string{"SMART UDP-08", "SMART UDP-08b"}},
		{Name: "the metadata is signed for another server", response: p.signedMetadata(false, set("iss", "https://other.example/fhir")), Rows: []string{"SMART UDP-08"}},
		{Name: "the metadata is signed by a stranger", response: p.signedMetadata(true, nothing), Rows: []string{"SMART UDP-08b", "SMART UDP-10"}},
		{Name: "signed and unsigned endpoints differ", response: p.signedMetadata(false, set("token_endpoint", "https://other.example/token")), Rows: []string{"SMART UDP-08"}},
		{Name: "UDAP and SMART name different endpoints", response: meta(set("token_endpoint", "https://other.example/token")), Rows: []string{"SMART UDP-36"}},
		{Name: "RS256 is withheld", response: meta(set("token_endpoint_auth_signing_alg_values_supported", []string{"ES384"})), Rows: []string{"SMART UDP-06"}},
		{Name: "services without hl7-b2b are announced", response: meta(set("udap_authorization_extensions_supported", []string{})), Rows: []string{"SMART UDP-03"}},
		{Name: "an unknown community is an error", response: under("/.well-known/udap", http.StatusNoContent, status(http.StatusNotFound)), Rows: []string{"SMART UDP-10"}},
		{Name: "the chain of a stranger is accepted", request: p.statement(anybody, nothing), Rows: []string{"SMART UDP-11", "SMART UDP-12", "SMART UDP-12b"}},
		{Name: "a statement serves twice", request: as(func(body map[string]any) { body["jti"] = p.now().String() }), Rows: []string{"SMART UDP-13"}},
		{Name: "a statement for another server is accepted", request: as(func(body map[string]any) {
			body["aud"] = strings.TrimSuffix(p.base(), "/fhir") + udapRegister
		}), Rows: []string{"SMART UDP-16"}},
		{Name: "nobody needs contacts", request: as(set("contacts", []string{"mailto:nobody@clinic.example"})), Rows: []string{"SMART UDP-17"}},
		{Name: "a member is app and service at once", request: as(func(body map[string]any) {
			if list, _ := body["grant_types"].([]any); len(list) > 1 {
				body["grant_types"] = list[:1]
			}
		}), Rows: []string{"SMART UDP-18"}},
		{Name: "the statement is not repeated", response: registered(drop("software_statement")), Rows: []string{"SMART UDP-15"}},
		{Name: "the granted scope is not told", response: registered(drop("scope")), Rows: []string{"SMART UDP-20"}},
		{Name: "a member that comes again is a new one", response: at(udapRegister, object(func(d map[string]any) {
			if id, _ := d["client_id"].(string); id != "" {
				d["client_id"] = id + "-2"
			}
		})), Rows: []string{"SMART UDP-21"}},
		{Name: "hl7-b2b is not needed", request: p.proof(p.genuine, set("extensions", map[string]any{"hl7-b2b": map[string]any{
			"version": "1", "organization_id": "https://clinic.example", "purpose_of_use": []string{"TREAT"},
		}})), Rows: []string{"SMART UDP-29", "SMART UDP-30"}},
		{Name: "the certificate of an assertion is not looked at", request: p.proof(anybody, nothing), Rows: []string{"SMART UDP-25"}},
		{Name: "the purpose of a token is not told", response: at("/introspect", object(drop("extensions"))), Rows: []string{"SMART UDP-31"}},
		{Name: "members get long tokens", request: long, response: longAnswer, Rows: []string{"SMART UDP-27", "SMART UDP-24b"}},
		{Name: "udap is granted", request: all, response: allAnswer, Rows: []string{"SMART UDP-32"}},
	}, p.elsewhereFaults()...)
}

// elsewhereFaults break the log-in at a provider of the community.
func (p *Proxy) elsewhereFaults() []Fault {
	return []Fault{
		{Name: "people are sent to any provider", response: at("/authorize", func(r *http.Response) {
			to, err := url.Parse(r.Header.Get("Location"))
			idp := r.Request.URL.Query().Get("idp")
			if err == nil && strings.HasPrefix(idp, "http://127.") && to.Query().Get("error") == "invalid_idp" {
				r.Header.Set("Location", idp+"/authorize?"+url.Values{"redirect_uri": {"https://clinic.example/callback"}}.Encode())
			}
		}), Rows: []string{"SMART UDP-33"}},
		{Name: "every attempt has the same state", response: func(r *http.Response) {
			to, err := url.Parse(r.Header.Get("Location"))
			if err != nil || to.Query().Get("nonce") == "" {
				return
			}
			q := to.Query()
			q.Set("state", base64.RawURLEncoding.EncodeToString([]byte("always the same")))
			to.RawQuery = q.Encode()
			r.Header.Set("Location", to.String())
		}, Rows: []string{"SMART UDP-34"}},
		{Name: "whoever comes back is let in", response: at(udapBack, redirectQuery(func(q url.Values) {
			if q.Get("error") == "access_denied" {
				q.Del("error")
				q.Set("code", "granted")
			}
		})), Rows: []string{"SMART UDP-35"}},
	}
}
