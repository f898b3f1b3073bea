package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func documents() []kit.Row {
	const needs = kit.Documents | kit.Admin | kit.Login
	return []kit.Row{
		{ID: "MANDATE CID-01", Title: "a client_id that is the address of nobody's document begins nothing, and leads nowhere", Run: docNobody},
		{ID: "MANDATE CID-02", Title: "an app described by the document at its client_id is approved once, and its consent page names the host", Needs: needs, Run: docApp},
		{ID: "MANDATE CID-03", Title: "a document of another client, with a secret or with addresses elsewhere describes nobody", Needs: needs, Run: docRefused},
		{ID: "MANDATE CID-04", Title: "a document is not fetched again while it is fresh, nor at once when it cannot be had", Needs: needs, Run: docFetches},
		{ID: "MANDATE CID-05", Title: "a redirect URI that is not in the document is not followed", Needs: needs, Run: docRedirect},
	}
}

// docScope is what the apps of documents ask.
const docScope = "openid launch/patient patient/*.rs"

// author publishes the document of an app at the target's document host, and
// counts how often it was read.
type author struct {
	t      *kit.Target
	client kit.Client
	server *http.Server

	mu     sync.Mutex
	doc    []byte
	media  string
	visits int
}

// write begins to publish the document of an app that nobody saw before. more
// adds members to it.
func write(ctx context.Context, t *kit.Target, more map[string]any) (*author, error) {
	root := "http://" + t.DocumentHost
	a := &author{t: t, media: "application/json", client: kit.Client{
		ID: root + "/" + t.Random()[:12] + "/client.json", Kind: "public", RedirectURIs: []string{root + "/callback"}, Scopes: docScope,
	}}
	doc := map[string]any{"client_id": a.client.ID, "client_name": "Wanderer", "redirect_uris": a.client.RedirectURIs, "scope": docScope}
	for name, value := range more {
		doc[name] = value
	}
	var err error
	if a.doc, err = json.Marshal(doc); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", t.DocumentHost)
	if err != nil {
		return nil, fmt.Errorf("the document of an app cannot be published at %s: %w", t.DocumentHost, err)
	}
	a.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(a.serve)}
	go func() { _ = a.server.Serve(l) }() // ends with close
	return a, nil
}

func (a *author) close() { _ = a.server.Close() }

func (a *author) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !strings.HasSuffix(a.client.ID, r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	a.visits++
	w.Header().Set("Content-Type", a.media)
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = w.Write(a.doc)
}

// since gives the visits since it was asked last.
func (a *author) since() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.visits
	a.visits = 0
	return n
}

// knock starts a request of the app and gives what the browser gets. bend
// changes the request; nil leaves it.
func (a *author) knock(ctx context.Context, bend func(url.Values)) (*kit.Response, error) {
	req := a.t.AuthorizeRequest(a.client, docScope, a.t.NewVerifier())
	if bend != nil {
		bend(req)
	}
	return a.t.Do(ctx, kit.Request{URL: a.t.Config.Authorize + "?" + req.Encode()})
}

// turnedAway notes everything but a page that leads nowhere.
func turnedAway(c *kit.Check, what string, res *kit.Response, err error) {
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Header.Get("Location") == "", "%s: %s leads to %q", what, res, res.Header.Get("Location"))
	}
}

// admit shows the app to the server and lets an operator approve it, where one
// has to.
func (a *author) admit(ctx context.Context) error {
	res, err := a.knock(ctx, nil)
	if err != nil || res.Status != http.StatusBadRequest {
		return err
	}
	res, _, err = desk(ctx, a.t, http.MethodPost, "/clients/"+url.PathEscape(a.client.ID)+"/approve", a.t.AdminAPI.Token, struct{}{})
	if err == nil && res.Status != http.StatusOK {
		err = fmt.Errorf("the approval of the app: %s", res)
	}
	return err
}

func docNobody(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, id := range []string{
		"https://nobody.example/client.json", "https://nobody.example/", "http://nobody.example/client.json", "https://nobody.example/a/../client.json",
		"https://user@nobody.example/client.json", "https://nobody.example/client.json#x", "https://10.0.0.1/client.json", "file:///etc/passwd",
	} {
		a := &author{t: t, client: kit.Client{ID: id, RedirectURIs: []string{"https://nobody.example/callback"}}}
		res, err := a.knock(ctx, nil)
		turnedAway(&c, id, res, err)
	}
	return c.Err()
}

func docApp(ctx context.Context, t *kit.Target) error {
	a, err := write(ctx, t, nil)
	if err != nil {
		return err
	}
	defer a.close()
	var c kit.Check
	c.That(t.OpenID.ClientDocuments, "client_id_metadata_document_supported is not in the OpenID configuration")
	if err := a.admit(ctx); err != nil {
		return err
	}
	defer forget(ctx, t, url.PathEscape(a.client.ID))
	g, err := t.Launch(ctx, kit.Launch{Client: a.client, Scope: docScope, Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	c.That(g.Answer.ConsentPage != nil && strings.Contains(string(g.Answer.ConsentPage.Body), t.DocumentHost), "the consent page does not name %s", t.DocumentHost)
	res, err := t.FHIR(ctx, g.Access(), "Patient/"+g.Patient())
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "the app reads: %s", res)
	}
	return c.Err()
}

func docRefused(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for what, more := range map[string]map[string]any{
		"another client_id": {"client_id": "http://" + t.DocumentHost + "/client.json"}, "a secret": {"client_secret": t.Random()},
		"a method with a secret": {"token_endpoint_auth_method": "client_secret_basic"},
		"addresses elsewhere":    {"redirect_uris": []string{"https://elsewhere.example/callback"}},
		"a service":              {"grant_types": []string{"client_credentials"}},
	} {
		a, err := write(ctx, t, more)
		if err != nil {
			return err
		}
		res, err := a.knock(ctx, nil)
		turnedAway(&c, what, res, err)
		// Nothing was registered that an operator could approve by mistake.
		seen, _, err := desk(ctx, t, http.MethodGet, "/clients/"+url.PathEscape(a.client.ID), t.AdminAPI.Token, nil)
		if c.Note(err) {
			c.That(seen.Status == http.StatusNotFound, "%s: registered: %s", what, seen)
		}
		a.close()
	}
	return c.Err()
}

func docFetches(ctx context.Context, t *kit.Target) error {
	a, err := write(ctx, t, nil)
	if err != nil {
		return err
	}
	defer a.close()
	var c kit.Check
	c.Note(a.admit(ctx))
	defer forget(ctx, t, url.PathEscape(a.client.ID))
	for range 3 {
		res, err := a.knock(ctx, nil)
		if c.Note(err) {
			c.That(res.Status < http.StatusBadRequest, "an approved app: %s", res)
		}
	}
	n := a.since()
	c.That(n == 1, "%d fetches of a document that may be kept for an hour", n)
	a.close()
	text, err := write(ctx, t, nil)
	if err != nil {
		return err
	}
	defer text.close()
	text.media = "text/html"
	for range 3 {
		res, err := text.knock(ctx, nil)
		turnedAway(&c, "a document of another type", res, err)
	}
	n = text.since()
	c.That(n == 1, "%d fetches of a document that is no good", n)
	return c.Err()
}

func docRedirect(ctx context.Context, t *kit.Target) error {
	a, err := write(ctx, t, nil)
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.admit(ctx); err != nil {
		return err
	}
	defer forget(ctx, t, url.PathEscape(a.client.ID))
	var c kit.Check
	for _, uri := range []string{a.client.RedirectURIs[0] + "/more", "http://" + t.DocumentHost + "/other", "https://elsewhere.example/callback"} {
		res, err := a.knock(ctx, func(v url.Values) { v.Set("redirect_uri", uri) })
		turnedAway(&c, uri, res, err)
	}
	return c.Err()
}
