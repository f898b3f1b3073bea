package broken

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/conformance/kit"
)

// at limits a change of answers to paths that end so.
func at(ending string, change func(*http.Response)) func(*http.Response) {
	return func(r *http.Response) {
		if strings.HasSuffix(r.Request.URL.Path, ending) {
			change(r)
		}
	}
}

// fhir limits a change of answers to the FHIR API, configuration excepted.
func fhir(change func(*http.Response)) func(*http.Response) {
	return func(r *http.Response) {
		if p := r.Request.URL.Path; strings.HasPrefix(p, "/fhir/") && !strings.Contains(p, ".well-known") && p != "/fhir/metadata" {
			change(r)
		}
	}
}

// object changes an answer that is a JSON object.
func object(change func(map[string]any)) func(*http.Response) {
	return func(r *http.Response) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		doc := map[string]any{}
		if json.Unmarshal(raw, &doc) == nil {
			change(doc)
			if changed, err := json.Marshal(doc); err == nil {
				raw = changed
			}
		}
		replace(r, raw)
	}
}

func replace(r *http.Response, raw []byte) {
	r.Body = io.NopCloser(bytes.NewReader(raw))
	r.ContentLength = int64(len(raw))
	r.Header.Set("Content-Length", fmt.Sprint(len(raw)))
}

func set(name string, value any) func(map[string]any) {
	return func(doc map[string]any) { doc[name] = value }
}

func drop(name string) func(map[string]any) {
	return func(doc map[string]any) { delete(doc, name) }
}

// tokenMember changes a member of successful token answers.
func tokenMember(change func(map[string]any)) func(*http.Response) {
	return at("/token", object(func(doc map[string]any) {
		if doc["access_token"] != nil {
			change(doc)
		}
	}))
}

func header(name, value string) func(*http.Response) {
	return func(r *http.Response) {
		if value == "" {
			r.Header.Del(name)
		} else {
			r.Header.Set(name, value)
		}
	}
}

// redirectQuery changes the parameters that go back to an app.
func redirectQuery(change func(url.Values)) func(*http.Response) {
	return func(r *http.Response) {
		u, err := url.Parse(r.Header.Get("Location"))
		if err != nil || u.Query().Get("state") == "" || strings.HasSuffix(u.Path, "/authorize") {
			return
		}
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		r.Header.Set("Location", u.String())
	}
}

// authorizeQuery changes the parameters that come from an app.
func authorizeQuery(change func(url.Values)) func(*http.Request) {
	return func(r *http.Request) {
		if r.URL.Path != "/authorize" || r.Method != http.MethodGet {
			return
		}
		q := r.URL.Query()
		change(q)
		r.URL.RawQuery = q.Encode()
	}
}

// form changes the form of requests to paths that end so.
func form(ending string, change func(url.Values)) func(*http.Request) {
	return func(r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ending) || r.Method != http.MethodPost || !strings.Contains(r.Header.Get("Content-Type"), "form") {
			return
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if form, err := url.ParseQuery(string(raw)); err == nil {
			change(form)
			raw = []byte(form.Encode())
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	}
}

func tokenForm(change func(url.Values)) func(*http.Request) { return form("/token", change) }

// remember gives the first good token answer again for the same value of a
// parameter: a server that spends nothing.
func remember(parameter string) (func(*http.Request), func(*http.Response)) {
	return rememberBy(func(r *http.Request) (value string) {
		tokenForm(func(f url.Values) { value = f.Get(parameter) })(r)
		return value
	})
}

// rememberBy is remember for what is read otherwise.
func rememberBy(value func(*http.Request) string) (func(*http.Request), func(*http.Response)) {
	const seen = "X-Seen"
	var mu sync.Mutex
	answers := map[string][]byte{}
	note := func(r *http.Request) { r.Header.Set(seen, value(r)) }
	return note, at("/token", func(r *http.Response) {
		key := r.Request.Header.Get(seen)
		if key == "" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if old := answers[key]; old != nil {
			r.StatusCode = http.StatusOK
			replace(r, old)
			return
		}
		if raw, err := io.ReadAll(r.Body); err == nil {
			if r.StatusCode == http.StatusOK {
				answers[key] = raw
			}
			replace(r, raw)
		}
	})
}

// instead answers with what the FHIR server behind says.
func (p *Proxy) instead(r *http.Response) {
	path, ok := strings.CutPrefix(r.Request.URL.Path, "/fhir/")
	if !ok || r.Request.Method != http.MethodGet {
		return
	}
	raw, ok := p.fetch(r.Request, path+"?"+r.Request.URL.RawQuery)
	if !ok {
		return
	}
	r.StatusCode = http.StatusOK
	r.Header.Set("Content-Type", "application/fhir+json")
	replace(r, raw)
}

// fetch reads from the FHIR server behind.
func (p *Proxy) fetch(r *http.Request, path string) ([]byte, bool) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, p.behind()+"/"+path, nil)
	if err != nil {
		return nil, false
	}
	res, err := p.direct.Do(req)
	if err != nil {
		return nil, false
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return raw, err == nil && res.StatusCode == http.StatusOK
}

// foreign is the kid under which the proxy publishes the key that it signs with.
const foreign = "broken-rs256"

// signer gives the RSA key of a demo client, which is as good as any.
func (p *Proxy) signer() (jose.JSONWebKey, bool) {
	c, _ := p.client("demo-backend")
	var set jose.JSONWebKeySet
	if json.Unmarshal(c.PrivateJWKS, &set) != nil {
		return jose.JSONWebKey{}, false
	}
	for _, k := range set.Keys {
		if k.Algorithm == string(jose.RS384) {
			return k, true
		}
	}
	return jose.JSONWebKey{}, false
}

// idToken changes the claims of id_tokens, signed with a published key again.
func (p *Proxy) idToken(change func(map[string]any)) func(*http.Response) {
	return func(r *http.Response) {
		at("/jwks", object(func(doc map[string]any) {
			k, ok := p.signer()
			keys, _ := doc["keys"].([]any)
			if public, err := (jose.JSONWebKey{Key: k.Public().Key, KeyID: foreign, Algorithm: "RS256", Use: "sig"}).MarshalJSON(); ok && err == nil {
				doc["keys"] = append(keys, json.RawMessage(public))
			}
		}))(r)
		tokenMember(func(doc map[string]any) {
			raw, _ := doc["id_token"].(string)
			k, ok := p.signer()
			if raw == "" || !ok {
				return
			}
			body := claims(raw)
			change(body)
			if signed, err := (kit.Assertion{Algorithm: "RS256", Claims: body}).SignWith(k.Key, foreign); err == nil {
				doc["id_token"] = signed
			}
		})(r)
	}
}

// assertion changes client assertions of the backend service, which are signed
// anew: a server that does not look at them.
func (p *Proxy) assertion(change func(header, claims map[string]any)) func(*http.Request) {
	return tokenForm(func(f url.Values) {
		raw := f.Get("client_assertion")
		parts := strings.Split(raw, ".")
		c, ok := p.client("demo-backend")
		if len(parts) != 3 || !ok {
			return
		}
		head, body := claims("."+parts[0]+"."), claims(raw)
		change(head, body)
		if head["alg"] != "ES384" && head["alg"] != "RS384" {
			return
		}
		alg, _ := head["alg"].(string)
		if signed, err := c.Sign(kit.Assertion{Algorithm: alg, Claims: body, Header: map[string]any{"kid": "demo-backend-" + strings.ToLower(alg)}}); err == nil {
			f.Set("client_assertion", signed)
		}
	})
}
