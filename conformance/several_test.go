package conformance_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/testpg"
	"github.com/mandate-health/mandate/internal/testrun"
)

// pair is two nodes on one PostgreSQL: what is asked of the first goes through
// a, of the second to the address b.
type pair struct {
	a             *conformance.Target
	b             string
	first, second *server
	client        kit.Client
}

// nodes starts two nodes; the second reaches the database under a URL of its
// own.
func nodes(t *testing.T, name, dsn, second string, args ...string) *pair {
	t.Helper()
	p := &pair{first: another(t, name+"-1", append(args, "--database", dsn)...)}
	p.a = p.first.open(t)
	listen := freeAddress(t)
	p.second = another(t, name+"-2", append(args, "--database", second, "--public-url", p.a.Issuer, "--listen", listen)...)
	p.b, p.client = "http://"+listen, p.a.Client("public")
	return p
}

func (p *pair) launch(t *testing.T) *kit.Grant {
	t.Helper()
	g, err := p.a.Launch(t.Context(), kit.Launch{
		Client: p.client, Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Person: "rosa"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// refresh asks a node for new tokens.
func (p *pair) refresh(t *testing.T, node, token string) *kit.Response {
	t.Helper()
	res, err := p.a.Do(t.Context(), kit.Request{URL: node + "/token", Form: url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {p.client.ID},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// read reads the patient at a node and gives the status.
func (p *pair) read(t *testing.T, node, access string) int {
	t.Helper()
	res, err := p.a.Do(t.Context(), kit.Request{URL: node + "/fhir/Patient/rosa", Bearer: access})
	if err != nil {
		t.Fatal(err)
	}
	return res.Status
}

func (p *pair) revoke(t *testing.T, token string) {
	t.Helper()
	if res, err := p.a.RevokeToken(t.Context(), p.client, token); err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
}

// until asks again and again, every few milliseconds, until a status comes,
// and gives how long that took.
func (p *pair) until(t *testing.T, node, access string, want int, limit time.Duration) time.Duration {
	t.Helper()
	watch := clock.System{}
	begun := watch.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		status := p.read(t, node, access)
		took := watch.Now().Sub(begun)
		if status == want {
			return took
		}
		if took > limit {
			t.Fatalf("after %s the answer is still %d, not %d", took, status, want)
		}
		<-tick.C
	}
}

// SMART AZ-16, REF-09: races over two nodes have one outcome.
func TestRacesOverTwoNodes(t *testing.T) {
	dsn := testpg.Start(t)
	p := nodes(t, "race", dsn, dsn)
	at := func(i int) string { return []string{p.a.Issuer, p.b}[i%2] }
	g, err := p.a.Code(t.Context(), kit.Launch{Client: p.client, Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Person: "rosa"}})
	if err != nil {
		t.Fatal(err)
	}
	if won := race(t, 50, func(i int) (*kit.Response, error) {
		return p.a.Call(t.Context(), at(i)+"/token", p.client, kit.CodeForm(g.Code, g.Redirect, g.Verifier))
	}); won != 1 {
		t.Errorf("%d redemptions of one code succeeded", won)
	}
	screen := p.a.DeviceClient()
	begun, err := p.a.BeginDevice(t.Context(), screen, "launch/patient patient/Patient.rs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.a.Connect(t.Context(), begun.Text("verification_uri"), begun.Text("user_code"), kit.Visit{Person: "rosa"}); err != nil {
		t.Fatal(err)
	}
	if won := race(t, 50, func(i int) (*kit.Response, error) {
		return p.a.Call(t.Context(), at(i)+"/token", screen, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {begun.Text("device_code")},
		})
	}); won != 1 {
		t.Errorf("%d redemptions of one device code succeeded", won)
	}

	first := p.launch(t).RefreshToken()
	var mu sync.Mutex
	successors := map[string]string{}
	race(t, 50, func(i int) (*kit.Response, error) {
		res, err := p.a.Do(t.Context(), kit.Request{URL: at(i) + "/token", Form: url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {first}, "client_id": {p.client.ID},
		}})
		if err == nil && res.Status == http.StatusOK {
			mu.Lock()
			defer mu.Unlock()
			successors[res.Text("refresh_token")] = res.Text("access_token")
		}
		return res, err
	})
	if len(successors) != 1 {
		t.Fatalf("one refresh token has %d successors", len(successors))
	}
	for next, access := range successors {
		if status := p.read(t, p.b, access); status != http.StatusOK {
			t.Errorf("the access token of the race is answered with %d", status)
		}
		if res := p.refresh(t, p.b, next); res.Status != http.StatusOK {
			t.Errorf("the successor is refused: %s", res)
		}
	}
}

// wire is a way to the database that can be cut.
type wire struct {
	mu    sync.Mutex
	to    string
	cut   bool
	conns []net.Conn
}

// open gives the address at which the wire begins.
func (w *wire) open(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		w.set(true)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(c)
		}
	}()
	return l.Addr().String()
}

func (w *wire) carry(c net.Conn) {
	defer c.Close()
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer far.Close()
	w.mu.Lock()
	cut := w.cut
	w.conns = append(w.conns, c, far)
	w.mu.Unlock()
	if cut {
		return
	}
	go func() {
		_, _ = io.Copy(far, c)
		_ = far.Close()
	}()
	_, _ = io.Copy(c, far)
}

// set cuts the wire, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.conns = nil
	}
}

// D17: a node that is cut off from the store refuses what it cannot check; it
// does not honour what it remembers. When the way is mended it knows what was
// revoked meanwhile, without a hand.
func TestNodeCutOffFromTheStore(t *testing.T) {
	cluster, err := testpg.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &wire{to: cluster.Address}
	p := nodes(t, "cut", cluster.DSN, cluster.URL(w.open(t)))
	g := p.launch(t)
	kept := p.refresh(t, p.a.Issuer, g.RefreshToken())
	for _, access := range []string{g.Access(), kept.Text("access_token")} {
		if status := p.read(t, p.b, access); status != http.StatusOK {
			t.Fatalf("before: %d", status)
		}
	}
	w.set(true)
	p.revoke(t, g.Access())
	p.until(t, p.b, g.Access(), http.StatusServiceUnavailable, 2*revocationLimit)
	// From here on the other token, which still stands, is refused as well.
	if status := p.read(t, p.b, kept.Text("access_token")); status != http.StatusServiceUnavailable {
		t.Errorf("cut off, it answers %d", status)
	}
	if res := p.refresh(t, p.b, kept.Text("refresh_token")); res.Status != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("cut off, a refresh is answered with %s", res)
	}
	if status := p.read(t, p.a.Issuer, kept.Text("access_token")); status != http.StatusOK {
		t.Errorf("the node that has a store answers %d", status)
	}
	w.set(false)
	took := p.until(t, p.b, kept.Text("access_token"), http.StatusOK, testrun.StartLimit)
	t.Logf("back after %s", took)
	p.until(t, p.b, g.Access(), http.StatusUnauthorized, time.Second)
}

// D5: the jobs of a node that is killed go to another within the length of a
// lease and one look.
func TestKilledLeaderIsReplaced(t *testing.T) {
	dsn := testpg.Start(t)
	p := nodes(t, "leader", dsn, dsn)
	leads := func(s *server) bool {
		raw, err := os.ReadFile(s.Log())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if strings.Contains(line, "job led by this node") && strings.Contains(line, "audit-seal") {
				return true
			}
		}
		return false
	}
	await := func(what string, limit time.Duration, done func() bool) time.Duration {
		watch := clock.System{}
		begun := watch.Now()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for !done() {
			if watch.Now().Sub(begun) > limit {
				t.Fatalf("%s: not within %s", what, limit)
			}
			<-tick.C
		}
		return watch.Now().Sub(begun)
	}
	await("a first leader", testrun.StartLimit, func() bool { return leads(p.first) || leads(p.second) })
	leader, other := p.first, p.second
	if leads(p.second) {
		leader, other = other, leader
	}
	if leads(other) {
		t.Fatal("both lead")
	}
	if err := leader.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	took := await("a second leader", testrun.StartLimit, func() bool { return leads(other) })
	t.Logf("replaced after %s", took)
	if took > 20*time.Second {
		t.Errorf("replaced after %s", took)
	}
}

// NIST SP 800-63B 5.2.2: failed log-ins are counted over all nodes.
func TestFailedLogInsAreCountedTogether(t *testing.T) {
	dsn := testpg.Start(t)
	p := nodes(t, "guess", dsn, dsn)
	guesser := p.a.Person("elena")
	guesser.Password = "not-this-one-" + p.a.Random()
	var answers []string
	for i := range 14 {
		page, err := p.a.NewBrowser(guesser).SignIn(t.Context(), []string{p.a.Issuer, p.b}[i%2]+"/home")
		if err == nil {
			t.Fatalf("a wrong password leads to %s", page.URL)
		}
		if page == nil {
			t.Fatal(err)
		}
		answers = append(answers, fmt.Sprint(page.Status))
	}
	first := slices.Index(answers, "429")
	if first < 1 || first > 10 {
		t.Fatalf("the answers are %v", answers)
	}
	for _, later := range answers[first:] {
		if later != "429" {
			t.Errorf("the answers are %v", answers)
			break
		}
	}
}

// TestNoticeSurvivesAKill: what is to be told to a person is told, though the
// receiver is down at first and the server is killed meanwhile.
func TestNoticeSurvivesAKill(t *testing.T) {
	var status atomic.Int64
	status.Store(http.StatusServiceUnavailable)
	tried, told := make(chan string, 100), make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Mandate-Signature") == "" {
			t.Error(err, r.Header)
		}
		code := int(status.Load())
		w.WriteHeader(code)
		if code == http.StatusNoContent {
			told <- string(body)
			return
		}
		tried <- string(body)
	}))
	t.Cleanup(receiver.Close)
	args := []string{"--notify-webhook", receiver.URL, "--notify-webhook-secret", strings.Repeat("s", 32)}
	first := another(t, "notice", args...)
	a := first.open(t)
	_, err := a.Launch(t.Context(), kit.Launch{Client: a.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Person: "elena", Patient: "rosa"}})
	if err != nil {
		t.Fatal(err)
	}
	wait := func(what string, from chan string) string {
		late := time.NewTimer(testrun.StartLimit)
		defer late.Stop()
		select {
		case body := <-from:
			return body
		case <-late.C:
			t.Fatalf("%s: nothing came", what)
			return ""
		}
	}
	wait("a first try", tried)
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	if first.Wait() == nil {
		t.Error("it ended in good order")
	}
	status.Store(http.StatusNoContent)
	another(t, "notice", args...)
	if body := wait("the notice", told); !strings.Contains(body, `"person_id":"demo-rosa","template":"app-connected-by-proxy"`) {
		t.Errorf("it tells %s", body)
	}
}

// SE-15: a limit is one over all nodes, is told as an OAuth error with when to
// come back, and does not touch other endpoints' classes.
func TestLimitIsSharedByNodes(t *testing.T) {
	const rate, asked = 20, 400
	dsn := testpg.Start(t)
	p := nodes(t, "limit", dsn, dsn, "--limit-network", fmt.Sprint(rate))
	watch := clock.System{}
	begun, passed := watch.Now(), 0
	var refused *kit.Response
	for i := range asked {
		res, err := p.a.Do(t.Context(), kit.Request{URL: []string{p.a.Issuer, p.b}[i%2] + "/token", Form: url.Values{"grant_type": {"none"}}})
		if err != nil {
			t.Fatal(err)
		}
		if res.Status == http.StatusTooManyRequests {
			refused = res
		} else {
			passed++
		}
	}
	seconds := watch.Now().Sub(begun).Seconds()
	t.Logf("%d of %d passed in %.1f s", passed, asked, seconds)
	if rule := 2*rate + rate*seconds; float64(passed) > rule*1.2+2 {
		t.Errorf("%d passed in %.1f s; the rule is %.0f", passed, seconds, rule)
	}
	if refused == nil {
		t.Fatal("nothing was refused")
	}
	if refused.Text("error") != "slow_down" || refused.Header.Get("Retry-After") == "" ||
		!strings.HasPrefix(refused.Header.Get("RateLimit-Policy"), `"network";q=40;w=2`) || !strings.HasPrefix(refused.Header.Get("RateLimit"), `"network";r=0;t=`) {
		t.Errorf("refused with %s %v", refused, refused.Header)
	}
	if res, err := p.a.Do(t.Context(), kit.Request{URL: p.b + "/.well-known/openid-configuration"}); err != nil || res.Status != http.StatusOK {
		t.Errorf("discovery: %v %v", res, err)
	}
}
