package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/mandate-health/mandate/conformance/bench/measure"
)

// workload is one kind of request, sent alike to the server and to what it is
// compared with.
type workload struct {
	name string
	// work says what the floor does for one request.
	work string
	// side is what it is compared with.
	side opponent
	// goal is what the design asks for at 16 connections on PostgreSQL.
	goal goal
	// touches says that prepare sends requests that write.
	touches bool
	// prepare does what must be done before, outside every measured span.
	prepare func(*rig, *side) (maker, error)
}

// goal bounds the measured values; a zero bounds nothing.
type goal struct {
	// rate is the least ratio of requests per second to the floor, cpu the most
	// of processor time per request.
	rate, cpu float64
	// commits, wal (bytes) and reads are the most per request.
	commits, wal, reads float64
}

// maker gives n workers that may send ops requests in all. What must be signed
// is signed here.
type maker func(n, ops int) ([]measure.Op, error)

// workloads in the order in which they run.
func workloads() []workload { return append(protocolWorkloads(), gatewayWorkloads()...) }

func protocolWorkloads() []workload {
	return []workload{
		{
			name: "client_credentials secret", work: "1 secret hash, 1 ES256 sign, 1 commit of the token",
			goal: goal{0.65, 1.6, 1, 700, 1}, prepare: clientSecret,
		},
		{
			name: "client_credentials RS384", work: "1 RS384 verify, 1 ES256 sign, 1 commit of guard and token",
			goal: goal{0.65, 1.6, 1, 900, 1}, prepare: clientCredentials(algRS384),
		},
		{
			name: "client_credentials ES384", work: "1 ES384 verify, 1 ES256 sign, 1 commit of guard and token",
			goal: goal{0.85, 1.2, 1, 900, 1}, prepare: clientCredentials(algES384),
		},
		{
			name: "code flow, RS256 id_token", work: "4 requests of a signed-in browser: 3 commits, 1 read, each with its session; PKCE; a page as long; 1 ES256 and 1 RS256 sign",
			goal: goal{rate: 0.60, cpu: 1.6, commits: 4, wal: 3000}, touches: true, prepare: codeFlow(appID, leanScope),
		},
		{
			name: "code flow, ES256 id_token", work: "as before, 2 ES256 signs",
			goal: goal{rate: 0.60, cpu: 1.8, commits: 4, wal: 3000}, touches: true, prepare: codeFlow(es256ID, leanScope),
		},
		{
			name: "code flow, live counts", work: "as before: no counts",
			touches: true, prepare: codeFlow(appID, appScope),
		},
		{
			name: "refresh with rotation", work: "1 secret hash, 1 commit of use and successor, 1 ES256 sign",
			goal: goal{0.60, 1.6, 1, 900, 1}, touches: true, prepare: refresh,
		},
		{
			name: "introspection, JWT", work: "1 secret hash, 1 ES256 verify, 1 read",
			goal: goal{rate: 0.65, cpu: 1.6, reads: 1}, touches: true, prepare: introspect(appID),
		},
		{
			name: "introspection, opaque", work: "1 secret hash, 1 AES-256-GCM open, 1 read",
			goal: goal{rate: 0.60, cpu: 1.6, reads: 1}, touches: true, prepare: introspect(opaqueID),
		},
		{name: "discovery, SMART, JWKS", work: "fixed bytes", goal: goal{rate: 0.85, cpu: 1.3}, prepare: documents},
		{
			name: "password log-in", work: "1 Argon2id (19 MiB, 2 passes), 1 commit",
			goal: goal{rate: 0.80}, touches: true, prepare: signIn,
		},
	}
}

// clientCredentials: SMART backend services with private_key_jwt (ASY).
func clientCredentials(alg string) func(*rig, *side) (maker, error) {
	return func(r *rig, s *side) (maker, error) {
		return func(n, ops int) ([]measure.Op, error) {
			forms, err := r.clients.assertions(alg, s.token, ops, r.clock, r.ids)
			if err != nil {
				return nil, err
			}
			var next atomic.Int64
			return each(n, func(int) measure.Op {
				c := &conn{addr: s.addr, clock: r.clock}
				return func(context.Context) error {
					i := int(next.Add(1)) - 1
					if i >= len(forms) {
						return measure.ErrExhausted
					}
					_, err := c.wantToken(request{method: http.MethodPost, path: s.tokenPath, host: s.host, form: forms[i]})
					return err
				}
			}), nil
		}, nil
	}
}

// clientSecret: client_credentials with a secret, which is switched on for this
// client alone (SYM-02).
func clientSecret(r *rig, s *side) (maker, error) {
	raw := request{
		method: http.MethodPost, path: s.tokenPath, host: s.host, header: []string{basicHeader(secretID, r.clients.secret)},
		form: url.Values{"grant_type": {"client_credentials"}, "scope": {backendScope}}.Encode(),
	}
	return func(n, _ int) ([]measure.Op, error) {
		return each(n, func(int) measure.Op {
			c := &conn{addr: s.addr, clock: r.clock}
			return func(context.Context) error {
				_, err := c.wantToken(raw)
				return err
			}
		}), nil
	}, nil
}

// each makes n workers.
func each(n int, one func(int) measure.Op) []measure.Op {
	ops := make([]measure.Op, n)
	for i := range ops {
		ops[i] = one(i)
	}
	return ops
}

// wantToken sends a request that must be answered with an access token.
func (c *conn) wantToken(r request) (answer, error) {
	got, err := c.send(r.bytes())
	if err == nil && (got.status != http.StatusOK || member(got.body, "access_token") == "") {
		err = refused("no token", got)
	}
	return got, err
}

// codeFlow walks a standalone launch. The consent page counts what the scope
// would let the app see at the upstream, which the floor does not.
func codeFlow(client, scope string) func(*rig, *side) (maker, error) {
	return func(r *rig, s *side) (maker, error) {
		walks := make([]*walk, r.most())
		for i := range walks {
			a, err := r.browser(s, i)
			if err != nil {
				return nil, err
			}
			if walks[i], err = r.newWalk(s, a, client, scope); err != nil {
				return nil, err
			}
		}
		return func(n, _ int) ([]measure.Op, error) {
			return each(n, func(i int) measure.Op { return walks[i].once }), nil
		}, nil
	}
}

// granted walks the flow n times and gives a member of each answer.
func (r *rig) granted(s *side, client string, n int, what string) ([]string, error) {
	out := make([]string, n)
	walks := map[int]*walk{}
	for i := range out {
		who := i % max(len(s.people), 1)
		if walks[who] == nil {
			a, err := r.browser(s, who)
			if err != nil {
				return nil, err
			}
			if walks[who], err = r.newWalk(s, a, client, offlineScope); err != nil {
				return nil, err
			}
		}
		body, err := walks[who].tokens()
		if err != nil {
			return nil, err
		}
		if out[i] = member(body, what); out[i] == "" {
			return nil, fmt.Errorf("the %s's answer has no %s", s.name, what)
		}
	}
	return out, nil
}

// refresh: each worker follows a chain of refresh tokens of its own (REF).
func refresh(r *rig, s *side) (maker, error) {
	c, err := r.newChains(s, r.most())
	if err != nil {
		return nil, err
	}
	return func(n, _ int) ([]measure.Op, error) { return c.ops(n), nil }, nil
}

// documents are asked for in turn.
func documents(r *rig, s *side) (maker, error) {
	var raws [][]byte
	for _, path := range s.documents {
		raws = append(raws, request{method: http.MethodGet, path: path, host: s.host}.bytes())
	}
	return func(n, _ int) ([]measure.Op, error) {
		return each(n, func(i int) measure.Op {
			c, turn := &conn{addr: s.addr, clock: r.clock}, i
			return func(context.Context) error {
				turn++
				return c.wantOK(raws[turn%len(raws)])
			}
		}), nil
	}, nil
}

// wantOK sends a request that must be answered with 200.
func (c *conn) wantOK(raw []byte) error {
	got, err := c.send(raw)
	if err == nil && got.status != http.StatusOK {
		err = refused("not answered", got)
	}
	return err
}

// signIn: a right password in the log-in form. Each worker is a browser of its
// own that never shows the session it got before.
func signIn(r *rig, s *side) (maker, error) {
	people := s.people
	if len(people) == 0 {
		people = append(people, floorPerson())
	}
	raws := make([][]byte, r.most())
	for i := range raws {
		a := newAgent(s, r.clock)
		path, form, err := a.signInForm(s, people[i%len(people)])
		a.conn.close()
		if err != nil {
			return nil, err
		}
		raws[i] = a.write(http.MethodPost, path, form)
	}
	return func(n, _ int) ([]measure.Op, error) {
		return each(n, func(i int) measure.Op {
			c := &conn{addr: s.addr, clock: r.clock}
			return func(context.Context) error {
				got, err := c.send(raws[i])
				if err == nil && (got.status != http.StatusSeeOther || len(got.header["Set-Cookie"]) == 0) {
					err = refused("not signed in", got)
				}
				return err
			}
		}), nil
	}, nil
}

// observationByID reads one resource, hundredObservations searches for a page
// of them. Both are relative to the FHIR base.
func observationByID(patient, id string) string { return "/Observation/" + id }

func hundredObservations(patient, id string) string {
	return "/Observation?_count=100&patient=" + url.QueryEscape(patient)
}

// fhirGet asks the gateway with a patient's token, or the upstream without.
func fhirGet(path func(patient, id string) string) func(*rig, *side) (maker, error) {
	return func(r *rig, s *side) (maker, error) {
		patient := r.mandate.people[0].Patients[0]
		id, err := r.anyObservation(patient)
		if err != nil {
			return nil, err
		}
		header := []string{"Accept: application/fhir+json"}
		if s.bearer {
			token, err := r.granted(r.mandate, appID, 1, "access_token")
			if err != nil {
				return nil, err
			}
			header = append(header, "Authorization: Bearer "+token[0])
		}
		raw := request{method: http.MethodGet, path: s.fhir + path(patient, id), host: s.host, header: header}.bytes()
		return repeated(r, s, raw), nil
	}
}

// anyObservation gives the id of an observation about a patient that nobody
// labels as sensitive.
func (r *rig) anyObservation(patient string) (string, error) {
	c := &conn{addr: r.upstream.addr, clock: r.clock}
	defer c.close()
	path := r.upstream.fhir + "/Observation?_count=50&category=vital-signs&patient=" + url.QueryEscape(patient)
	got, err := c.send(request{method: http.MethodGet, path: path, host: r.upstream.host}.bytes())
	if err != nil {
		return "", err
	}
	var page struct {
		Entry []struct {
			Resource struct {
				ID   string `json:"id"`
				Meta struct {
					Security []struct {
						Code string `json:"code"`
					} `json:"security"`
				} `json:"meta"`
			} `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(got.body, &page); err != nil {
		return "", fmt.Errorf("the upstream's answer to a search: %w", err)
	}
	for _, e := range page.Entry {
		if sec := e.Resource.Meta.Security; len(sec) == 1 && sec[0].Code == "N" {
			return e.Resource.ID, nil
		}
	}
	return "", fmt.Errorf("%s has no ordinary observation", patient)
}

// repeated sends one request again and again, over a connection for each worker.
func repeated(r *rig, s *side, raw []byte) maker {
	return func(n, _ int) ([]measure.Op, error) {
		return each(n, func(int) measure.Op {
			c := &conn{addr: s.addr, clock: r.clock}
			return func(context.Context) error { return c.wantOK(raw) }
		}), nil
	}
}
