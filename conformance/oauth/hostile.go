package oauth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func hostile() []kit.Row {
	return []kit.Row{
		{ID: "MANDATE BAD-01", Title: "every endpoint that takes a form refuses a bad one with the specified error", Run: hostileForms},
		{ID: "MANDATE BAD-02", Title: "nothing of a parameter is reflected raw", Run: hostileInjection},
		{ID: "MANDATE BAD-03", Title: "headers that are too many, too long or repeated do no harm", Run: hostileHeaders},
		{ID: "MANDATE BAD-04", Title: "odd, nested and foreign client assertions are invalid_client", Needs: kit.Backend, Run: hostileAssertions},
		{ID: "MANDATE BAD-05", Title: "deep, huge and malformed JSON is refused with an error", Needs: kit.Launcher, Run: hostileJSON},
		{ID: "MANDATE BAD-08", Title: "a good body with a member twice is refused for one cause wherever JSON is read",
			Needs: kit.Launcher | kit.Admin | kit.Backend | kit.Login, Run: hostileTwins},
		{ID: "MANDATE BAD-06", Title: "a bad authorization request ends on a page, not at an address nobody registered", Needs: kit.Login, Run: hostileAuthorize},
		{ID: "MANDATE BAD-07", Title: "an error that goes back to the app has the code of its cause, and links its page", Needs: kit.Login, Run: hostileReturn},
	}
}

// takesForms are the members of the discovery document whose endpoints take a
// POSTed form.
var takesForms = []string{
	"token_endpoint", "introspection_endpoint", "revocation_endpoint",
	"pushed_authorization_request_endpoint", "device_authorization_endpoint",
}

// endpoint is one that the server advertises.
type endpoint struct{ name, url string }

// issuer gives the server's issuer without a slash at its end.
func issuer(t *kit.Target) string {
	return strings.TrimSuffix(cmp.Or(t.Issuer, t.Config.Issuer), "/")
}

// advertised gives the endpoints of the OpenID configuration, or of the SMART
// configuration where there is no other, that stand in a list.
func advertised(ctx context.Context, t *kit.Target, names ...string) ([]endpoint, error) {
	doc := map[string]any{}
	for _, at := range []string{t.FHIRBase + "/.well-known/smart-configuration", issuer(t) + "/.well-known/openid-configuration"} {
		res, err := t.Do(ctx, kit.Request{URL: at})
		if err != nil {
			return nil, err
		}
		for name, value := range res.JSON() {
			doc[name] = value
		}
	}
	var out []endpoint
	for _, name := range names {
		if text, ok := doc[name].(string); ok {
			out = append(out, endpoint{name, text})
		}
	}
	return out, nil
}

// wellFormed judges an OAuth error: its code is a known word, a developer reads
// why, the cause has a page, and no cache keeps any of it.
func wellFormed(ctx context.Context, t *kit.Target, c *kit.Check, what string, res *kit.Response) {
	c.That(res.Status >= 400 && res.Status < 500, "%s: %s", what, res)
	c.That(res.Media() == "application/json" && res.Text("error") != "" && res.Text("error_description") != "", "%s: %s has no error with a description", what, res)
	c.That(strings.Contains(res.Header.Get("Cache-Control"), "no-store"), "%s: %s may be kept", what, res)
	c.That(res.Text("error_code") == path.Base(res.Text("error_uri")), "%s: the code %q is not that of %q", what, res.Text("error_code"), res.Text("error_uri"))
	documented(ctx, t, c, what, res.Text("error_uri"))
}

// documented judges that an error links a page which explains its cause.
func documented(ctx context.Context, t *kit.Target, c *kit.Check, what, page string) {
	if !c.That(page != "", "%s: no page is linked", what) {
		return
	}
	explained, err := t.Do(ctx, kit.Request{URL: page})
	if !c.Note(err) {
		return
	}
	c.That(explained.Status == http.StatusOK && bytes.Contains(explained.Body, []byte(path.Base(page))), "%s: the page %s answers %d", what, page, explained.Status)
}

// badBodies are bodies that no endpoint may read, with their media type.
func badBodies() map[string][2]string {
	const form = "application/x-www-form-urlencoded"
	return map[string][2]string{
		"a repeated parameter":    {form, "grant_type=refresh_token&token=a&grant_type=authorization_code&token=b&client_id=x&client_id=y"},
		"a bad escape":            {form, "grant_type=%zz&token=%zz&client_id=%zz"},
		"bytes that are no text":  {form, "grant_type=%ff%fe&token=%ff%fe&client_id=%c3%28"},
		"a NUL character":         {form, "grant_type=refresh_token%00&token=a%00&client_id=a%00"},
		"a line end":              {form, "grant_type=a%0d%0aSet-Cookie:x&token=a%0d%0ab&client_id=a%0d%0ab"},
		"a thousand parameters":   {form, strings.Repeat("a=1&", 1000) + "token=x&client_id=x"},
		"an endless parameter":    {form, "token=" + strings.Repeat("x", 300<<10)},
		"JSON":                    {"application/json", `{"grant_type":"client_credentials","token":"x","client_id":"x"}`},
		"a form in parts":         {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nx\r\n--b--\r\n"},
		"text":                    {"text/plain", "token=x&grant_type=client_credentials"},
		"an unreadable type":      {"application/x-www-form-urlencoded;;=", "token=x&grant_type=client_credentials"},
		"a body without anything": {form, ""},
	}
}

func hostileForms(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	all, err := advertised(ctx, t, takesForms...)
	if err != nil {
		return err
	}
	for _, at := range all {
		for what, bad := range badBodies() {
			res, err := t.Do(ctx, kit.Request{Method: http.MethodPost, URL: at.url, Type: bad[0], Body: strings.NewReader(bad[1])})
			if err != nil && len(bad[1]) > 100<<10 {
				continue // the connection may be closed while the rest is still on its way
			}
			if c.Note(err) {
				wellFormed(ctx, t, &c, at.name+", "+what, res)
			}
		}
		for what, r := range map[string]kit.Request{
			"a parameter in the URL": {URL: at.url + "?client_id=x", Form: url.Values{"token": {"x"}, "grant_type": {"x"}}},
			"GET":                    {Method: http.MethodGet, URL: at.url},
			"PUT":                    {Method: http.MethodPut, URL: at.url, Form: url.Values{"token": {"x"}}},
		} {
			res, err := t.Do(ctx, r)
			if c.Note(err) {
				wellFormed(ctx, t, &c, at.name+", "+what, res)
			}
		}
	}
	return c.Err()
}

// Injected stands in everything that the injection corpus sends, so that a log
// can be searched for it.
const Injected = "inj3ct"

// corpus is what is sent in place of a value. Each holds what must not come
// back as it is.
func corpus() []string {
	return []string{
		"<script>alert('" + Injected + "')</script>", `"><img src=x onerror=` + Injected + `>`, `'"--><` + Injected + `>`,
		"{{" + Injected + "<}}", "${jndi:ldap://" + Injected + "<}", "'; DROP TABLE client; --<" + Injected + ">",
		"../../" + Injected + "<x>", "javascript:alert('" + Injected + "')//<", "\u202e<" + Injected + ">", "<!--#exec cmd=" + Injected + "-->",
	}
}

// parameters are those that an endpoint may read.
var parameters = []string{
	"grant_type", "client_id", "client_secret", "code", "code_verifier", "redirect_uri", "refresh_token", "scope", "token", "token_type_hint",
	"client_assertion", "client_assertion_type", "response_type", "state", "aud", "launch", "nonce", "prompt", "display", "code_challenge",
	"code_challenge_method", "request", "request_uri", "max_age", "acr_values", "login_hint", "id_token_hint", "resource", "response_mode",
	"device_code", "user_code", "subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type", "audience",
	"dpop_jkt", "authorization_details", "udap", "idp", "ui_locales", "post_logout_redirect_uri",
}

func hostileInjection(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	all, err := advertised(ctx, t, append(slices.Clone(takesForms), "authorization_endpoint")...)
	if err != nil {
		return err
	}
	for _, name := range parameters {
		for _, at := range all {
			for _, bad := range corpus() {
				inject(ctx, t, &c, at, name, bad)
			}
		}
	}
	for _, bad := range corpus() {
		for _, r := range []kit.Request{
			{URL: t.Config.Token, Form: url.Values{"grant_type": {"client_credentials"}}, Basic: &[2]string{bad, bad}},
			{URL: issuer(t) + "/register/" + url.PathEscape(bad), Bearer: "x"},
			{URL: t.FHIRBase + "/Patient/" + url.PathEscape(bad)}, {URL: t.FHIRBase + "/Patient?name=" + url.QueryEscape(bad), Bearer: "x"},
			{URL: issuer(t) + "/" + url.PathEscape(bad)}, {URL: issuer(t) + "/docs/errors/" + url.PathEscape(bad)},
			{URL: t.Config.Token, Header: http.Header{"Origin": {"https://" + Injected + ".example"}, "User-Agent": {bad}, "Referer": {bad}}, Form: url.Values{}},
		} {
			res, err := t.Do(ctx, r)
			if c.Note(err) {
				c.That(res.Status < 500, "%s", res)
				reflected(&c, r.URL, res, bad)
			}
		}
	}
	return c.Err()
}

// inject sends one text in one parameter of one endpoint.
func inject(ctx context.Context, t *kit.Target, c *kit.Check, at endpoint, name, bad string) {
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"nobody"}, "response_type": {"code"}, "token": {"x"}}
	form.Set(name, bad)
	r := kit.Request{URL: at.url, Form: form}
	if at.name == "authorization_endpoint" {
		r = kit.Request{URL: at.url + "?" + form.Encode()}
	}
	res, err := t.Do(ctx, r)
	if c.Note(err) {
		c.That(res.Status < 500, "%s, %s: %s", at.name, name, res)
		reflected(c, at.name+", "+name, res, bad)
	}
}

// reflected judges that what was sent is nowhere in the answer as it was sent.
func reflected(c *kit.Check, what string, res *kit.Response, bad string) {
	if at := strings.IndexByte(bad, '<'); at >= 0 && strings.Contains(res.Media(), "html") {
		c.That(!bytes.Contains(res.Body, []byte(bad)), "%s: the page holds %q", what, bad)
	}
	if !strings.Contains(res.Media(), "html") {
		c.That(!bytes.Contains(res.Body, []byte(Injected)), "%s: the answer repeats %q", what, bad)
	}
	for name, values := range res.Header {
		c.That(!strings.ContainsAny(strings.Join(values, ""), "<>") || name == "Link", "%s: the header %s holds %q", what, name, values)
	}
}

func hostileHeaders(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	many := http.Header{}
	for i := range 3000 {
		many.Set(fmt.Sprintf("X-Bomb-%d", i), strings.Repeat("b", 400))
	}
	send := func(what string, header http.Header, mayClose bool, statuses ...int) {
		for _, at := range []string{t.Config.Token, t.FHIRBase + "/Patient/1", t.FHIRBase + "/metadata"} {
			r := kit.Request{URL: at, Header: header}
			if at == t.Config.Token {
				r.Form = url.Values{"grant_type": {"client_credentials"}}
			}
			res, err := t.Do(ctx, r)
			if err != nil && mayClose {
				continue
			}
			if c.Note(err) {
				c.That(slices.Contains(statuses, res.Status), "%s: %s", what, res)
			}
		}
	}
	send("a header of 4 MB", http.Header{"X-Bomb": {strings.Repeat("b", 4<<20)}}, true, http.StatusRequestHeaderFieldsTooLarge)
	send("3,000 headers", many, true, http.StatusRequestHeaderFieldsTooLarge)
	// Metadata may be read with a worthless credential.
	refused := []int{http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestHeaderFieldsTooLarge}
	for what, values := range map[string][]string{
		"two credentials":     {"Bearer a", "Bearer b"},
		"an endless Bearer":   {"Bearer " + strings.Repeat("a", 60<<10)},
		"an endless Basic":    {"Basic " + strings.Repeat("QUFB", 10<<10)},
		"a Basic of no text":  {"Basic %%%"},
		"an unknown scheme":   {"Negotiate abc"},
		"an empty credential": {"Bearer "},
		"dots":                {"Bearer ............"},
	} {
		send(what, http.Header{"Authorization": values}, false, refused...)
	}
	for what, pair := range map[string][2]string{
		"NUL in the name": {"a\x00b", "x"}, "NUL in the secret": {"a", "x\x00"}, "bytes that are no text": {"a\xff", "x\xfe"},
		"a line end": {"a\r\nb", "x"}, "escaped NUL": {"a%00b", "x"}, "no name": {"", "x"}, "an endless name": {strings.Repeat("a", 3000), "x"},
	} {
		res, err := t.Do(ctx, kit.Request{URL: t.Config.Token, Form: url.Values{"grant_type": {"client_credentials"}}, Basic: &pair})
		if c.Note(err) {
			c.That(res.Status == http.StatusUnauthorized && res.Text("error") == "invalid_client", "Basic with %s: %s", what, res)
		}
	}
	res, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/.well-known/smart-configuration"})
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "afterwards %s", res)
	}
	return c.Err()
}

// launchAPI names the endpoint at which an EHR registers launch contexts.
const launchAPI = "launch registration"

func hostileJSON(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	all, err := advertised(ctx, t, "registration_endpoint")
	if err != nil {
		return err
	}
	var ehr *[2]string
	if c, ok := t.ClientByID(t.LaunchAPI.ClientID); ok && t.LaunchAPI.URL != "" {
		ehr, all = &[2]string{c.ID, c.Secret}, append(all, endpoint{launchAPI, t.LaunchAPI.URL})
	}
	if len(all) == 0 {
		return kit.Unmet{Why: "no endpoint takes JSON"}
	}
	for _, at := range all {
		for what, body := range map[string]string{
			"deep": strings.Repeat(`{"a":`, 100000) + "1" + strings.Repeat("}", 100000), "a deep list": strings.Repeat("[", 200000),
			"huge":     `{"client_name":"` + strings.Repeat("x", 8<<20) + `"}`,
			"no value": "", "half a value": `{"client_name":`, "a list": "[]", "two values": "{}{}", "null": "null", "a number": "1e999999",
			"bytes that are no text": "{\"client_name\":\"\xff\xfe\"}", "a repeated member": `{"client_name":"a","client_name":"b"}`,
		} {
			r := kit.Request{Method: http.MethodPost, URL: at.url, Type: "application/json", Body: strings.NewReader(body)}
			if at.name == launchAPI {
				r.Basic = ehr
			}
			res, err := t.Do(ctx, r)
			if err != nil && what == "huge" {
				continue // the connection may be closed while the rest is still on its way
			}
			if c.Note(err) {
				c.That(res.Status >= 400 && res.Status < 500 && json.Valid(res.Body), "%s, %s: %s", at.name, what, res)
			}
		}
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json;;="} {
			r := kit.Request{Method: http.MethodPost, URL: at.url, Type: media, Body: strings.NewReader("{}"), Basic: ehr}
			res, err := t.Do(ctx, r)
			if c.Note(err) {
				c.That(res.Status == http.StatusUnsupportedMediaType || res.Status == http.StatusBadRequest, "%s as %q: %s", at.name, media, res)
			}
		}
	}
	return c.Err()
}

// asJSON is an authorization request by POST that is no form.
func asJSON(ctx context.Context, t *kit.Target, c *kit.Check, app kit.Client) {
	req := t.AuthorizeRequest(app, "launch/patient", t.NewVerifier())
	for _, media := range []string{"text/plain", "application/json", "multipart/form-data; boundary=b"} {
		res, err := t.Do(ctx, kit.Request{Method: http.MethodPost, URL: t.Config.Authorize, Type: media, Body: strings.NewReader(req.Encode())})
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500 && res.Header.Get("Location") == "", "a form as %s: %s", media, res)
		}
	}
}

func hostileReturn(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for what, bend := range map[string]func(url.Values){
		"no challenge":          func(v url.Values) { v.Del("code_challenge") },
		"an unknown type":       func(v url.Values) { v.Set("response_type", "token id_token") },
		"another server":        func(v url.Values) { v.Set("aud", "https://other.example/fhir") },
		"a repeated parameter":  func(v url.Values) { v.Add("scope", "openid") },
		"scopes that are none":  func(v url.Values) { v.Set("scope", "patient/*.zz <b>") },
		"an unknown challenge":  func(v url.Values) { v.Set("code_challenge_method", "plain") },
		"an age of no number":   func(v url.Values) { v.Set("max_age", "-1") },
		"a launch of somewhere": func(v url.Values) { v.Set("launch", "<b>"); v.Set("scope", "launch") },
	} {
		req := t.AuthorizeRequest(t.Client("public"), "launch/patient", t.NewVerifier())
		bend(req)
		res, err := t.Do(ctx, kit.Request{URL: t.Config.Authorize + "?" + req.Encode()})
		if !c.Note(err) {
			continue
		}
		to, err := url.Parse(res.Header.Get("Location"))
		if !c.Note(err) || !c.That(to.Query().Has("error"), "%s: %s leads to %q", what, res, to) {
			continue
		}
		q := to.Query()
		c.That(q.Get("error_description") != "" && q.Get("state") == req.Get("state"), "%s: %v", what, q)
		c.That(q.Get("error_code") == path.Base(q.Get("error_uri")), "%s: the code %q is not that of %q", what, q.Get("error_code"), q.Get("error_uri"))
		c.That(!strings.ContainsAny(q.Get("error_description"), `<"\`), "%s: the description is %q", what, q.Get("error_description"))
		documented(ctx, t, &c, what, q.Get("error_uri"))
	}
	return c.Err()
}

// ownPlace gives where a redirect leads that stays with the server.
func ownPlace(t *kit.Target, res *kit.Response) (string, bool) {
	base, err := url.Parse(res.URL)
	if err != nil || res.Status != http.StatusSeeOther {
		return "", false
	}
	to, err := base.Parse(res.Header.Get("Location"))
	if err != nil {
		return "", false
	}
	return to.String(), to.Host == base.Host && strings.HasPrefix(to.String(), issuer(t))
}

func hostileAuthorize(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	app := t.Client("public")
	for what, bend := range map[string]func(url.Values){
		"a repeated client":        func(v url.Values) { v.Add("client_id", "other") },
		"a repeated redirect":      func(v url.Values) { v.Add("redirect_uri", "https://evil.example/cb") },
		"a foreign redirect":       func(v url.Values) { v.Set("redirect_uri", "https://evil.example/cb") },
		"a script for a redirect":  func(v url.Values) { v.Set("redirect_uri", "javascript:alert(1)") },
		"a redirect with userinfo": func(v url.Values) { v.Set("redirect_uri", strings.Replace(v.Get("redirect_uri"), "://", "://a@", 1)) },
		"a redirect with a tail":   func(v url.Values) { v.Set("redirect_uri", v.Get("redirect_uri")+"/../evil") },
		"an unknown client":        func(v url.Values) { v.Set("client_id", "nobody") },
	} {
		req := t.AuthorizeRequest(app, "launch/patient", t.NewVerifier())
		bend(req)
		for _, r := range []kit.Request{{URL: t.Config.Authorize + "?" + req.Encode()}, {URL: t.Config.Authorize, Form: req}} {
			res, err := t.Do(ctx, r)
			if !c.Note(err) {
				continue
			}
			if own, ok := ownPlace(t, res); ok {
				res, err = t.Do(ctx, kit.Request{URL: own})
				c.Note(err)
			}
			c.That(res != nil && res.Status >= 400 && res.Status < 500 && res.Header.Get("Location") == "", "%s: %s", what, res)
		}
	}
	asJSON(ctx, t, &c, app)
	return c.Err()
}
