package conformance_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// thief is a way to a node that lets a request through, and ends the node by
// force the moment its answer begins: the act was done, and nobody was told.
type thief struct {
	listener net.Listener
	to       string
	node     *server
	taken    chan error
}

func steal(t *testing.T, to string, node *server) *thief {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &thief{listener: l, to: to, node: node, taken: make(chan error, 1)}
	go x.carry()
	t.Cleanup(func() { _ = l.Close() })
	return x
}

func (x *thief) carry() {
	near, err := x.listener.Accept()
	if err != nil {
		x.taken <- err
		return
	}
	defer near.Close()
	far, err := net.Dial("tcp", x.to)
	if err != nil {
		x.taken <- err
		return
	}
	defer far.Close()
	go func() { _, _ = io.Copy(far, near) }()
	if _, err := far.Read(make([]byte, 1)); err != nil {
		x.taken <- err
		return
	}
	x.taken <- x.node.Kill()
}

// lost sends a refresh of which no answer arrives.
func (x *thief) lost(t *testing.T, client kit.Client, token string) {
	t.Helper()
	_, err := http.PostForm("http://"+x.listener.Addr().String()+"/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {client.ID},
	})
	if err == nil {
		t.Fatal("an answer arrived")
	}
	if err := <-x.taken; err != nil {
		t.Fatal(err)
	}
}

// goesOn asks again after a lost answer, twice, and wants one successor that
// works: no false alarm, no second family.
func goesOn(t *testing.T, target *kit.Target, node string, g *kit.Grant) {
	t.Helper()
	renew := func(token string) *kit.Response {
		res, err := target.Do(t.Context(), kit.Request{URL: node + "/token", Form: url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {g.Client.ID},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	first, second := renew(g.RefreshToken()), renew(g.RefreshToken())
	if first.Status != http.StatusOK || first.Text("refresh_token") == "" || first.Text("refresh_token") != second.Text("refresh_token") {
		t.Fatalf("asked again: %s, and %s; one successor: %t", first, second, first.Text("refresh_token") == second.Text("refresh_token"))
	}
	if next := renew(first.Text("refresh_token")); next.Status != http.StatusOK {
		t.Errorf("the successor: %s", next)
	}
}

// SMART REF-09: a node is killed between the rotation and the app's receipt of
// the answer. Whoever answers next, the same node started again or another one,
// gives the app the successor.
func TestKilledBeforeTheAnswerOfARefreshArrived(t *testing.T) {
	launch := func(t *testing.T, target *kit.Target) *kit.Grant {
		g, err := target.Launch(t.Context(), kit.Launch{Client: target.Client("public"), Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Person: "rosa"}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	t.Run("started again", func(t *testing.T) {
		listen := freeAddress(t)
		args := []string{"--listen", listen, "--data", t.TempDir()}
		first := another(t, "lost-answer", args...)
		target := first.open(t)
		g := launch(t, target)
		steal(t, listen, first).lost(t, g.Client, g.RefreshToken())
		again := another(t, "lost-answer", args...).open(t)
		goesOn(t, again, again.Issuer, g)
	})
	t.Run("another node", func(t *testing.T) {
		dsn := testpg.Start(t)
		p := nodes(t, "lost-answer-pair", dsn, dsn)
		g := p.launch(t)
		steal(t, strings.TrimPrefix(p.b, "http://"), p.second).lost(t, g.Client, g.RefreshToken())
		goesOn(t, p.a, p.a.Issuer, g)
	})
}

// advance moves the clocks of both nodes.
func (p *pair) advance(t *testing.T, d time.Duration) {
	t.Helper()
	for _, node := range []string{p.a.Issuer, p.b} {
		res, err := p.a.Do(t.Context(), kit.Request{Method: http.MethodPost, URL: node + "/dev/clock", Type: "application/json", Body: strings.NewReader(`{"advance":"` + d.String() + `"}`)})
		if err != nil || res.Status != http.StatusOK {
			t.Fatal(res, err)
		}
	}
}

// dead wants that nothing of a grant works at either node any more.
func (p *pair) dead(t *testing.T, what, access, refresh string) {
	t.Helper()
	for _, node := range []string{p.a.Issuer, p.b} {
		p.until(t, node, access, http.StatusUnauthorized, revocationLimit)
		if res := p.refresh(t, node, refresh); res.Status != http.StatusBadRequest || res.Text("error") != "invalid_grant" {
			t.Errorf("%s: the refresh token is answered with %s", what, res)
		}
	}
}

// TestReplaysOverTwoNodes: what is presented twice ends what it gave, wherever
// each of the two was answered.
func TestReplaysOverTwoNodes(t *testing.T) {
	dsn := testpg.Start(t)
	p := nodes(t, "replays", dsn, dsn)
	at := func(i int) string { return []string{p.a.Issuer, p.b}[i%2] }

	t.Run("SMART AZ-16: the losers of a race for a code end the winner's grant", func(t *testing.T) {
		g, err := p.a.Code(t.Context(), kit.Launch{Client: p.client, Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Person: "rosa"}})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var won []*kit.Response
		race(t, 20, func(i int) (*kit.Response, error) {
			res, err := p.a.Call(t.Context(), at(i)+"/token", p.client, kit.CodeForm(g.Code, g.Redirect, g.Verifier))
			if err == nil && res.Status == http.StatusOK {
				mu.Lock()
				defer mu.Unlock()
				won = append(won, res)
			}
			return res, err
		})
		if len(won) != 1 {
			t.Fatalf("%d won", len(won))
		}
		p.dead(t, "after the race", won[0].Text("access_token"), won[0].Text("refresh_token"))
	})
	t.Run("SMART REF-09: parallel refreshes at both nodes are equal byte for byte", func(t *testing.T) { sameSuccessor(t, p) })
	t.Run("SMART REF-08: a token used again after its grace ends the family at both nodes", func(t *testing.T) {
		for i := range 2 {
			g := p.launch(t)
			next := p.refresh(t, at(i), g.RefreshToken())
			p.advance(t, time.Minute)
			if res := p.refresh(t, at(i+1), g.RefreshToken()); res.Status != http.StatusBadRequest {
				t.Errorf("used again: %s", res)
			}
			p.dead(t, "after the reuse", next.Text("access_token"), next.Text("refresh_token"))
		}
	})
}

// sameSuccessor refreshes again and again at both nodes at once.
func sameSuccessor(t *testing.T, p *pair) {
	g := p.launch(t)
	for range 3 {
		var mu sync.Mutex
		successors := map[string]int{}
		race(t, 16, func(i int) (*kit.Response, error) {
			res, err := p.a.Do(t.Context(), kit.Request{URL: []string{p.a.Issuer, p.b}[i%2] + "/token", Form: url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {g.RefreshToken()}, "client_id": {p.client.ID},
			}})
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			successors[res.Text("refresh_token")]++
			return res, nil
		})
		for next, n := range successors {
			if next == "" || n != 16 {
				t.Fatalf("%d of 16 got one of %d successors (none: %t)", n, len(successors), next == "")
			}
			g.Body = []byte(`{"refresh_token":"` + next + `"}`)
		}
	}
}
