package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
)

// proxyCommand is the hidden first argument that makes this program a plain proxy
// before the upstream.
const proxyCommand = "proxy"

const directly = "the upstream asked directly"

// gatewayWorkloads ask for records. What the gateway adds is compared with the
// upstream asked directly, and what it carries with a proxy that only passes on.
func gatewayWorkloads() []workload {
	const checked = "HAProxy before the same upstream: jwt_verify of the same token, no audit"
	const passed = "a proxy before the same upstream: httputil.ReverseProxy, no token, no audit"
	return []workload{
		{name: "FHIR read", work: directly, side: theUpstream, touches: true, prepare: fhirGet(observationByID)},
		{name: "FHIR search, 100 entries", work: directly, side: theUpstream, touches: true, prepare: fhirGet(hundredObservations)},
		{name: "FHIR read, by a proxy", work: passed, goal: goal{rate: 0.70}, side: theProxy, touches: true, prepare: fhirGet(observationByID)},
		{name: "FHIR read, by HAProxy jwt_verify", work: checked, goal: goal{rate: 0.75}, side: theHAProxy, touches: true, prepare: fhirGet(observationByID)},
		{name: "FHIR search, 100 entries, by a proxy", work: passed, goal: goal{rate: 0.60}, side: theProxy, touches: true, prepare: fhirGet(hundredObservations)},
	}
}

// opponent says what a workload is compared with.
type opponent int

const (
	theFloor opponent = iota
	theUpstream
	theProxy
	theHAProxy
)

// against gives the side that a workload is compared with. A proxy is started
// when it is first asked for. Errors: errAbsent where there is none.
func (r *rig) against(ctx context.Context, o opponent) (*side, error) {
	switch {
	case o == theFloor:
		return r.floor, nil
	case o == theUpstream:
		return r.upstream, nil
	case o == theHAProxy:
		return r.startHAProxy(ctx)
	case r.proxy != nil:
		return r.proxy, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c, addr, err := startSelf(ctx, self, proxyCommand, "http://"+r.upstream.addr)
	if err != nil {
		return nil, err
	}
	r.children = append(r.children, c)
	r.proxy = &side{name: "proxy", addr: addr, host: addr, pid: c.pid(), fhir: r.upstream.fhir}
	return r.proxy, nil
}

// serveProxy passes on what comes until ctx ends. It prints its address.
func serveProxy(ctx context.Context, target string, out io.Writer) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	way := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	s := &http.Server{
		Handler:           &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(u) }, Transport: way},
		ReadHeaderTimeout: startLimit,
	}
	go func() {
		<-ctx.Done()
		_ = s.Close()
	}()
	if err = s.Serve(l); errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// addedP50 and addedP99 are how many milliseconds a read through the gateway may
// take longer than one asked of the upstream directly, by one connection, the wait
// for the durable audit event left out (it stands beside).
const addedP50, addedP99 = 0.3, 2

// added tells how much longer a read takes through the gateway.
func (o outcome) added() (out []finding) {
	if o.Floor != directly || !strings.HasPrefix(o.Workload, "FHIR read") {
		return nil
	}
	for _, x := range o.Rows {
		tell := func(what string, v number, goal float64) {
			f := finding{Engine: o.Engine, Mode: o.Workload, What: fmt.Sprintf("%d connections: %s, ms", x.Connections, what), Value: v}
			if x.Connections == 1 && goal > 0 {
				f.Sign, f.Goal = atMost, goal
			}
			out = append(out, f)
		}
		half := x.Subject.P50 - x.Against.P50
		tell("added p50 with the audit queue's flush", half, 0)
		tell("the audit queue's flush, p50", x.Subject.Flush, 0)
		tell("added p50 beside the flush", half-x.Subject.Flush, addedP50)
		tell("added p99 with the flush", x.Subject.P99-x.Against.P99, addedP99)
	}
	return out
}
