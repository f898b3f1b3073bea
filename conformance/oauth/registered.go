package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func registered() []kit.Row {
	return []kit.Row{
		{ID: "SMART REG-01", Title: "launch and redirect URIs are kept as they were registered", Needs: kit.Admin | kit.Login, Run: regURIs},
		{ID: "SMART REG-02", Title: "each client has its id, and a registration endpoint answers where one is advertised", Needs: kit.Admin | kit.Login, Run: regIDs},
	}
}

// registration is a client as the administration API shows it.
type registration struct {
	ID           string   `json:"client_id"`
	RedirectURIs []string `json:"redirect_uris"`
	LaunchURIs   []string `json:"launch_uris"`
}

func registrations(ctx context.Context, t *kit.Target) (map[string]registration, error) {
	res, err := t.Do(ctx, kit.Request{URL: strings.TrimSuffix(t.AdminAPI.URL, "/") + "/clients", Bearer: t.AdminAPI.Token})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Clients []registration `json:"clients"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || res.Status != http.StatusOK {
		return nil, fmt.Errorf("the list of clients: %s", res)
	}
	out := map[string]registration{}
	for _, r := range answer.Clients {
		out[r.ID] = r
	}
	return out, nil
}

func regURIs(ctx context.Context, t *kit.Target) error {
	kept, err := registrations(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	compared := 0
	for _, client := range t.Clients {
		for what, pair := range map[string][2][]string{
			"redirect URIs": {client.RedirectURIs, kept[client.ID].RedirectURIs}, "launch URIs": {client.LaunchURIs, kept[client.ID].LaunchURIs},
		} {
			compared += len(pair[0])
			c.That(slices.Equal(pair[0], pair[1]) || len(pair[0])+len(pair[1]) == 0, "the %s of %s are %q, registered %q", what, client.ID, pair[1], pair[0])
		}
	}
	c.That(compared > 2, "only %d URIs were compared", compared)
	return c.Err()
}

func regIDs(ctx context.Context, t *kit.Target) error {
	kept, err := registrations(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	for _, client := range t.Clients {
		c.That(client.ID != "" && kept[client.ID].ID == client.ID, "%q is not among the clients", client.ID)
	}
	document, err := t.Do(ctx, kit.Request{URL: t.FHIRBase + "/.well-known/smart-configuration"})
	if !c.Note(err) || document.Text("registration_endpoint") == "" {
		return c.Err()
	}
	res, err := t.Do(ctx, kit.Request{Method: http.MethodPost, URL: document.Text("registration_endpoint"), Type: "application/json", Body: strings.NewReader("{}")})
	if c.Note(err) {
		c.That(res.Status >= 400 && res.Status < 500 && res.Status != http.StatusNotFound && res.Text("error") != "", "an empty registration: %s", res)
	}
	return c.Err()
}
