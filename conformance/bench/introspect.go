package main

import (
	"bytes"
	"context"
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/conformance/bench/measure"
)

// introspectedTokens is how many tokens are asked about in turn.
const introspectedTokens = 16

// introspect asks about the tokens of one client as another that may.
func introspect(client string) func(*rig, *side) (maker, error) {
	return func(r *rig, s *side) (maker, error) {
		tokens, err := r.granted(s, client, introspectedTokens, "access_token")
		if err != nil {
			return nil, err
		}
		basic := basicHeader(appID, r.clients.secret)
		return func(n, _ int) ([]measure.Op, error) {
			return each(n, func(i int) measure.Op {
				c := &conn{addr: s.addr, clock: r.clock}
				raw := request{
					method: http.MethodPost, path: s.introspectPath, host: s.host, header: []string{basic},
					form: "token=" + url.QueryEscape(tokens[i%len(tokens)]),
				}.bytes()
				return func(context.Context) error {
					got, err := c.send(raw)
					if err == nil && !bytes.Contains(got.body, []byte(`"active":true`)) {
						err = refused("not active", got)
					}
					return err
				}
			}), nil
		}, nil
	}
}

// introspectNothing asks about what is no token.
func introspectNothing(r *rig, s *side) (maker, error) {
	raw := request{
		method: http.MethodPost, path: s.introspectPath, host: s.host, header: []string{basicHeader(appID, r.clients.secret)}, form: "token=nothing",
	}.bytes()
	return repeated(r, s, raw), nil
}
