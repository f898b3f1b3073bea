package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func registering() []kit.Row {
	return []kit.Row{
		{ID: "SMART REG-05", Title: "keys by value change only by an authorised and recorded act", Needs: kit.Admin | kit.Login, Run: regKeysKept},
		{ID: "SMART REG-06", Title: "a key set with private members, or without kid, kty or material, is refused", Needs: kit.Admin | kit.Login, Run: regKeySets},
		{ID: "SMART REG-07", Title: "single-patient apps and backend services are registered, and how is public", Needs: kit.Admin | kit.Login, Run: regRoutes},
		{ID: "SMART REG-08", Title: "an operator sees when an app asked, was verified and approved, and until when", Needs: kit.Admin | kit.Login, Run: regClocks},
		{ID: "RFC7591 2", Title: "a client is registered for the ways of authentication that discovery lists, and for no other", Needs: kit.Admin | kit.Login, Run: regMethods},
	}
}

// entry is a client as the administration API takes and shows it.
type entry struct {
	ID       string          `json:"client_id,omitempty"`
	Name     string          `json:"client_name,omitempty"`
	Method   string          `json:"token_endpoint_auth_method,omitempty"`
	Grants   []string        `json:"grant_types,omitempty"`
	Redirect []string        `json:"redirect_uris,omitempty"`
	JWKS     json.RawMessage `json:"jwks,omitempty"`
	Scope    string          `json:"scope,omitempty"`
	TLSDNS   string          `json:"tls_client_auth_san_dns,omitempty"`
	Bound    bool            `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

// told is what the administration API answers.
type told struct {
	entry
	Status   string    `json:"registration_status"`
	Asked    time.Time `json:"asked"`
	Approved time.Time `json:"approved"`
	Clocks   *struct {
		Authenticity json.RawMessage `json:"authenticity"`
		Production   json.RawMessage `json:"production"`
	} `json:"clocks"`
}

// desk calls the administration API of clients with a credential.
func desk(ctx context.Context, t *kit.Target, method, path, token string, body any) (*kit.Response, told, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, told{}, err
	}
	r := kit.Request{Method: method, URL: strings.TrimSuffix(t.AdminAPI.URL, "/") + path, Bearer: token}
	if body != nil {
		r.Body, r.Type = strings.NewReader(string(raw)), "application/json"
	}
	res, err := t.Do(ctx, r)
	if err != nil {
		return nil, told{}, err
	}
	if res.Status == http.StatusNotFound && method == http.MethodPost && path == "/clients" {
		return nil, told{}, kit.Unmet{Why: "the administration API registers no clients"}
	}
	var out told
	if res.Status < 300 {
		err = json.Unmarshal(res.Body, &out)
	}
	return res, out, err
}

// service is an entry of a backend service with the keys of one that is there.
func service(t *kit.Target) (entry, error) {
	public, err := t.Client("backend").PublicJWKS()
	if err != nil {
		return entry{}, err
	}
	raw, err := json.Marshal(public)
	return entry{Name: "Conformance", Method: "private_key_jwt", Grants: []string{"client_credentials"}, JWKS: raw, Scope: "system/Patient.rs"}, err
}

// forget deletes what a check registered.
func forget(ctx context.Context, t *kit.Target, id string) {
	_, _, _ = desk(ctx, t, http.MethodDelete, "/clients/"+id, t.AdminAPI.Token, nil)
}

func regKeysKept(ctx context.Context, t *kit.Target) error {
	good, err := service(t)
	if err != nil {
		return err
	}
	res, made, err := desk(ctx, t, http.MethodPost, "/clients", t.AdminAPI.Token, good)
	if err != nil {
		return err
	}
	if res.Status != http.StatusCreated {
		return fmt.Errorf("%s: %s", res, res.Body)
	}
	defer forget(ctx, t, made.ID)
	var c kit.Check
	other := good
	other.ID = made.ID
	other.JWKS = json.RawMessage(strings.Replace(string(good.JWKS), `"kid":"`, `"kid":"other-`, 1))
	for _, token := range []string{"", "wrong"} {
		res, _, err := desk(ctx, t, http.MethodPut, "/clients/"+made.ID, token, other)
		c.That(c.Note(err) && (res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden), "keys are changed with the credential %q: %s", token, res)
	}
	res, kept, err := desk(ctx, t, http.MethodGet, "/clients/"+made.ID, t.AdminAPI.Token, nil)
	c.That(c.Note(err) && strings.Contains(string(kept.JWKS), "kid") && !strings.Contains(string(kept.JWKS), "other-"), "%s: the keys are not those that were registered", res)
	res, _, err = desk(ctx, t, http.MethodPut, "/clients/"+made.ID, t.AdminAPI.Token, other)
	c.That(c.Note(err) && res.Status == http.StatusOK, "an operator cannot change keys: %s", res)
	res, err = t.Do(ctx, kit.Request{URL: strings.TrimSuffix(t.AdminAPI.URL, "/") + "/audit?client_id=" + made.ID, Bearer: t.AdminAPI.Token})
	c.That(c.Note(err) && strings.Contains(string(res.Body), "client.registered") && strings.Contains(string(res.Body), "client.changed"), "the acts are not recorded: %s", res)
	return c.Err()
}

func regKeySets(ctx context.Context, t *kit.Target) error {
	good, err := service(t)
	if err != nil {
		return err
	}
	var c kit.Check
	spoil := func(member string, value any) json.RawMessage {
		var set struct {
			Keys []map[string]any `json:"keys"`
		}
		if !c.Note(json.Unmarshal(good.JWKS, &set)) || len(set.Keys) == 0 {
			return nil
		}
		if set.Keys[0][member] = value; value == nil {
			delete(set.Keys[0], member)
		}
		raw, err := json.Marshal(set)
		c.Note(err)
		return raw
	}
	for what, jwks := range map[string]json.RawMessage{
		"a private member": spoil("d", "AQAB"), "no kid": spoil("kid", nil), "no kty": spoil("kty", nil),
		"no material": json.RawMessage(`{"keys":[{"kty":"EC","kid":"a","crv":"P-384"}]}`), "no key": json.RawMessage(`{"keys":[]}`),
	} {
		bad := good
		bad.JWKS = jwks
		res, made, err := desk(ctx, t, http.MethodPost, "/clients", t.AdminAPI.Token, bad)
		if err != nil {
			return err
		}
		c.That(res.Status == http.StatusBadRequest, "a key set with %s is taken: %s", what, res)
		if made.ID != "" {
			forget(ctx, t, made.ID)
		}
	}
	return c.Err()
}

func regRoutes(ctx context.Context, t *kit.Target) error {
	backend, err := service(t)
	if err != nil {
		return err
	}
	var c kit.Check
	app := entry{Name: "Conformance", Method: "none", Redirect: []string{"https://app.example/callback"}, Scope: "openid launch/patient patient/*.rs"}
	for what, e := range map[string]entry{"a single-patient app": app, "a backend service": backend} {
		res, made, err := desk(ctx, t, http.MethodPost, "/clients", t.AdminAPI.Token, e)
		if err != nil {
			return err
		}
		if c.That(res.Status == http.StatusCreated && made.ID != "" && made.Status == "approved", "%s: %s", what, res); made.ID != "" {
			forget(ctx, t, made.ID)
		}
	}
	res, err := t.Do(ctx, kit.Request{URL: t.Issuer + "/docs/registration"})
	c.That(c.Note(err) && res.Status == http.StatusOK && strings.Contains(string(res.Body), "client_credentials") && strings.Contains(string(res.Body), "patient/"),
		"how to register is not public: %s", res)
	return c.Err()
}

func regMethods(ctx context.Context, t *kit.Target) error {
	good, err := service(t)
	if err != nil {
		return err
	}
	var none *kit.ClientAuthority
	pair, err := none.Pair("service.example")
	if err != nil {
		return err
	}
	named, own, bound, unknown := good, good, good, good
	named.Method, named.TLSDNS, named.JWKS = kit.MethodTLS, "service.example", nil
	own.Method, bound.Bound, unknown.Method = kit.MethodTLSOfSelf, true, "client_secret_jwt"
	if own.JWKS, err = pair.JWKS("own"); err != nil {
		return err
	}
	var c kit.Check
	for _, e := range []entry{good, named, own, bound, unknown} {
		offered := slices.Contains(t.Config.TokenAuthMethods, e.Method) && (!e.Bound || t.Config.CertificateBound)
		res, made, err := desk(ctx, t, http.MethodPost, "/clients", t.AdminAPI.Token, e)
		if err != nil {
			return err
		}
		if made.ID != "" {
			forget(ctx, t, made.ID)
		}
		want := http.StatusBadRequest
		if offered {
			want = http.StatusCreated
		}
		c.That(res.Status == want, "%s, bound to a certificate %v, offered %v: %s", e.Method, e.Bound, offered, res)
	}
	return c.Err()
}

func regClocks(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	res, made, err := desk(ctx, t, http.MethodPost, "/clients", t.AdminAPI.Token,
		entry{Name: "Conformance", Method: "none", Redirect: []string{"https://app.example/callback"}, Scope: "openid patient/*.rs"})
	if err != nil {
		return err
	}
	if !c.That(res.Status == http.StatusCreated, "%s", res) {
		return c.Err()
	}
	defer forget(ctx, t, made.ID)
	c.That(!made.Asked.IsZero() && !made.Approved.IsZero() && made.Clocks != nil && len(made.Clocks.Authenticity) > 0 && len(made.Clocks.Production) > 0,
		"an operator sees no times of the registration: %s", res.Body)
	res, err = t.Do(ctx, kit.Request{URL: strings.TrimSuffix(t.AdminAPI.URL, "/") + "/registrations", Bearer: t.AdminAPI.Token})
	c.That(c.Note(err) && res.Status == http.StatusOK && strings.Contains(string(res.Body), `"registrations"`), "the queue of approvals is not shown: %s", res)
	return c.Err()
}
