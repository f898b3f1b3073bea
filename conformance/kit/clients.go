package kit

import "strings"

// find gives the first client of a kind that has a redirect URI, or, for
// backend clients, a key.
func (t *Target) find(kind string) *Client {
	for i, c := range t.Clients {
		if c.Kind == kind && (len(c.RedirectURIs) > 0 || kind == "backend" && len(c.PrivateJWKS) > 0) {
			return &t.Clients[i]
		}
	}
	return nil
}

// Client gives the first usable client of a kind: public, symmetric,
// asymmetric or backend. The row's Needs must have asked for it.
func (t *Target) Client(kind string) Client {
	if c := t.find(kind); c != nil {
		return *c
	}
	return Client{Kind: kind}
}

// another gives the second client of a kind that has keys of its own.
func (t *Target) another(kind string) *Client {
	first := t.find(kind)
	for i, c := range t.Clients {
		if first != nil && c.Kind == kind && c.ID != first.ID && c.JWKSURI == "" {
			return &t.Clients[i]
		}
	}
	return nil
}

// SecondBackend gives a backend service beside that of Client("backend").
func (t *Target) SecondBackend() Client {
	if c := t.another("backend"); c != nil {
		return *c
	}
	return Client{Kind: "backend"}
}

// ReservedClient gives a client whose id and secret hold characters that HTTP
// Basic has a use for.
func (t *Target) ReservedClient() Client {
	for _, c := range t.Clients {
		if c.Kind == "symmetric" && strings.Contains(c.ID, ":") && strings.ContainsAny(c.Secret, ":+% ") {
			return c
		}
	}
	return Client{}
}

// DecidingClient gives a resource server that may ask for decisions (AuthZEN).
func (t *Target) DecidingClient() Client {
	for _, c := range t.Clients {
		if c.Kind == "symmetric" && c.EvaluateAccess {
			return c
		}
	}
	return Client{}
}

// DisclosingClient gives a resource server that enforces Consents by itself.
func (t *Target) DisclosingClient() Client {
	for _, c := range t.Clients {
		if c.Kind == "symmetric" && c.IntrospectConsents {
			return c
		}
	}
	return Client{}
}

// NarrowClient gives a backend service that is registered for Patients alone.
func (t *Target) NarrowClient() Client {
	for _, c := range t.Clients {
		if c.Kind == "backend" && c.Scopes == "system/Patient.rs" {
			return c
		}
	}
	return Client{}
}

// StepUp is a rule about the log-in behind some requests.
type StepUp struct {
	Scope string `json:"scope"`
	// MaxAge is in seconds.
	MaxAge int64 `json:"max_age"`
}

// StepUpClient gives an app whose looks at the Patient need a recent log-in.
func (t *Target) StepUpClient() Client {
	for _, c := range t.Clients {
		if len(c.StepUp) == 1 && c.StepUp[0].Scope == "patient/Patient.rs" {
			return c
		}
	}
	return Client{}
}

// PushClient gives a client with keys that must push its authorization requests.
func (t *Target) PushClient() Client {
	for _, c := range t.Clients {
		if c.Pushes && c.Kind == "asymmetric" {
			return c
		}
	}
	return Client{}
}

// ClientByID gives a client of the ready file.
func (t *Target) ClientByID(id string) (Client, bool) {
	for _, c := range t.Clients {
		if c.ID == id {
			return c, true
		}
	}
	return Client{}, false
}
