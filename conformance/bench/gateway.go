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
)

// proxyCommand is the hidden first argument that makes this program a plain proxy
// before the upstream.
const proxyCommand = "proxy"

// gatewayWorkloads ask for records. What the gateway adds is compared with the
// upstream asked directly, and what it carries with a proxy that only passes on.
func gatewayWorkloads() []workload {
	const directly, passed = "the upstream asked directly", "a proxy before the same upstream: httputil.ReverseProxy, no token, no audit"
	return []workload{
		{name: "FHIR read", work: directly, side: theUpstream, touches: true, prepare: fhirGet(observationByID)},
		{name: "FHIR search, 100 entries", work: directly, side: theUpstream, touches: true, prepare: fhirGet(hundredObservations)},
		{name: "FHIR read, by a proxy", work: passed, goal: goal{rate: 0.70}, side: theProxy, touches: true, prepare: fhirGet(observationByID)},
		{name: "FHIR search, 100 entries, by a proxy", work: passed, goal: goal{rate: 0.60}, side: theProxy, touches: true, prepare: fhirGet(hundredObservations)},
	}
}

// opponent says what a workload is compared with.
type opponent int

const (
	theFloor opponent = iota
	theUpstream
	theProxy
)

// against gives the side that a workload is compared with. The proxy is started
// when it is first asked for.
func (r *rig) against(ctx context.Context, o opponent) (*side, error) {
	switch {
	case o == theFloor:
		return r.floor, nil
	case o == theUpstream:
		return r.upstream, nil
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
