package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

const (
	startDeadline = 30 * time.Second
	pollEvery     = 20 * time.Millisecond
	worldsGOGC    = 400
)

// server is one real composition of all rooms in this process, reached over
// HTTP only.
type server struct {
	*kit.Target
	data  string
	file  string
	out   *lockedBuffer
	end   context.CancelFunc
	ended chan error
	// walk notes what a story does of the life cycle; nil notes nothing.
	walk *walk
}

// lockedBuffer takes what the server writes while a story reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// run starts a development server and waits for its ready file.
func run(dir string, change func(*app.Config)) (*server, error) {
	s := &server{data: filepath.Join(dir, "data"), file: filepath.Join(dir, "ready.json"), out: &lockedBuffer{}, ended: make(chan error, 1)}
	cfg := app.Config{
		Listen: "127.0.0.1:0", Data: s.data, ReadyFile: s.file, Dev: true, HelpPhone: "+1 555 0100", Out: s.out,
		Log: slog.New(slog.NewTextHandler(s.out, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if change != nil {
		change(&cfg)
	}
	s.file = cfg.ReadyFile
	_ = os.Remove(s.file)
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	go func() { s.ended <- app.Run(ctx, cfg) }()
	deadline, tick := time.After(startDeadline), time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if ready, err := kit.ReadReady(s.file); err == nil {
			if s.Target, err = kit.NewTarget(ctx, ready); err != nil {
				end()
				return nil, err
			}
			return s, nil
		}
		select {
		case err := <-s.ended:
			end()
			return nil, fmt.Errorf("the server ended at its start: %w\n%s", err, s.out)
		case <-deadline:
			end()
			return nil, fmt.Errorf("no ready file within %s\n%s", startDeadline, s.out)
		case <-tick.C:
		}
	}
}

// start runs a server of the story's own until the story ends.
func start(t *testing.T, change func(*app.Config)) *server {
	t.Helper()
	return startIn(t, t.TempDir(), change)
}

func startIn(t *testing.T, dir string, change func(*app.Config)) *server {
	t.Helper()
	s, err := run(dir, change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	s.walk = walkOf(t)
	return s
}

// stop ends a server and wants it to end well; a second call does nothing.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if s.ended == nil {
		return
	}
	s.end()
	s.HTTP.CloseIdleConnections()
	if err := <-s.ended; err != nil {
		t.Errorf("the server did not end well: %v", err)
	}
	s.ended = nil
}

// common is the server that stories share which leave the clock, the clients
// and the consents alone.
var common struct {
	once sync.Once
	dir  string
	*server
	err error
}

func shared(t *testing.T) *server {
	t.Helper()
	common.once.Do(func() {
		if common.dir, common.err = os.MkdirTemp("", "mandate-app-"); common.err == nil {
			common.server, common.err = run(common.dir, nil)
		}
	})
	if common.err != nil {
		t.Fatal(common.err)
	}
	return common.server
}

func TestMain(m *testing.M) {
	// Hundreds of worlds come and go in this process: a fifth of its time went into
	// collecting them. The servers leave the collector alone where this is set.
	if os.Getenv("GOGC") == "" {
		_ = os.Setenv("GOGC", strconv.Itoa(worldsGOGC))
		debug.SetGCPercent(worldsGOGC)
	}
	code := m.Run()
	for _, s := range []*server{common.server, estate.home} {
		if s == nil {
			continue
		}
		s.end()
		if err := <-s.ended; err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(common.dir)
	_ = os.RemoveAll(estate.dir)
	os.Exit(code)
}

// browser opens a new browser for a person.
func (s *server) browser(username string) *kit.Browser { return s.NewBrowser(s.Person(username)) }

// get asks as a browser of nobody.
func (s *server) get(t *testing.T, address string) *kit.Response {
	t.Helper()
	return s.do(t, kit.Request{URL: s.at(address)})
}

// at gives an absolute URL.
func (s *server) at(address string) string {
	if strings.HasPrefix(address, "/") {
		return s.Issuer + address
	}
	return address
}

func (s *server) do(t *testing.T, r kit.Request) *kit.Response {
	t.Helper()
	res, err := s.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// granted walks a launch to its tokens.
func (s *server) granted(t *testing.T, l kit.Launch) *kit.Grant {
	t.Helper()
	g, err := s.Launch(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// answered walks an authorization request to the app or to a page.
func (s *server) answered(t *testing.T, req url.Values, v kit.Visit) *kit.Answer {
	t.Helper()
	a, err := s.Authorize(t.Context(), req, v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// handle registers a launch context for an app.
func (s *server) handle(t *testing.T, app string, context map[string]any) string {
	t.Helper()
	context["client_id"] = app
	res, err := s.RegisterLaunch(t.Context(), context)
	if err != nil || res.Status != http.StatusCreated {
		t.Fatal(res, err)
	}
	return res.Text("launch")
}

// admin calls the administration API and decodes its answer.
func (s *server) admin(t *testing.T, method, path, body string, into any) *kit.Response {
	t.Helper()
	r := kit.Request{Method: method, URL: s.AdminAPI.URL + path, Bearer: s.AdminAPI.Token}
	if body != "" {
		r.Body, r.Type = strings.NewReader(body), "application/json"
	}
	res := s.do(t, r)
	s.walk.posted(method, "/admin"+path, res.Status)
	if into != nil {
		if err := json.Unmarshal(res.Body, into); err != nil {
			t.Fatalf("%s: %v", res, err)
		}
	}
	return res
}

// grantRow is a grant as the administration API tells it.
type grantRow struct {
	ID      string    `json:"id"`
	Client  string    `json:"client_id"`
	Person  string    `json:"person_id"`
	Scope   string    `json:"scope"`
	Consent string    `json:"consent"`
	Patient string    `json:"patient"`
	Created time.Time `json:"created"`
	Ends    time.Time `json:"ends"`
	Revoked time.Time `json:"revoked"`
}

// grants lists the grants on a patient's record.
func (s *server) grants(t *testing.T, patient string) []grantRow {
	t.Helper()
	var out struct {
		Grants []grantRow `json:"grants"`
	}
	if res := s.admin(t, "GET", "/grants?patient="+patient, "", &out); res.Status != http.StatusOK {
		t.Fatal(res)
	}
	return out.Grants
}

// newest gives the newest grant on a patient's record.
func (s *server) newest(t *testing.T, patient string) grantRow {
	t.Helper()
	list := s.grants(t, patient)
	if len(list) == 0 {
		t.Fatalf("there is no grant on the record of %s", patient)
	}
	return slices.MaxFunc(list, func(a, b grantRow) int { return a.Created.Compare(b.Created) })
}

// eventRow is an audit event as the administration API tells it.
type eventRow struct {
	Kind                          string
	Reason                        string
	ClientID                      string
	GrantID                       string
	PersonID                      string
	TokenID                       string
	SessionID, Network, RequestID string
	Detail                        map[string]string
	Consents                      []string
}

// events gives the audit events under a query such as grant=ID.
func (s *server) events(t *testing.T, query string) []eventRow {
	t.Helper()
	var out struct {
		Events []eventRow `json:"events"`
	}
	if res := s.admin(t, "GET", "/audit?"+query, "", &out); res.Status != http.StatusOK {
		t.Fatal(res)
	}
	return out.Events
}

// fhir reads below the FHIR base with a token.
func (s *server) fhir(t *testing.T, token, path string) *kit.Response {
	t.Helper()
	return s.do(t, kit.Request{URL: s.FHIRBase + "/" + path, Bearer: token})
}

// fetch wants a status of a FHIR request.
func (s *server) fetch(t *testing.T, token, path string, want int) *kit.Response {
	t.Helper()
	res := s.fhir(t, token, path)
	if res.Status != want {
		t.Fatalf("%s, want %d", res, want)
	}
	return res
}

// refreshed asks for new tokens and wants a status.
func (s *server) refreshed(t *testing.T, g *kit.Grant, token string, want int) *kit.Response {
	t.Helper()
	res, err := s.Refresh(t.Context(), g.Client, token, "")
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != want {
		t.Fatalf("%s, want %d", res, want)
	}
	return res
}

// wantError wants an answer to the app with an OAuth error, the state and iss
// (RFC 6749 §4.1.2.1, RFC 9207).
func (s *server) wantError(t *testing.T, a *kit.Answer, req url.Values, code string) {
	t.Helper()
	q := a.Query
	if q.Get("error") != code || q.Has("code") || q.Get("state") != req.Get("state") || q.Get("iss") != s.Issuer {
		t.Errorf("%s, state %q, iss %q; want %s", a, q.Get("state"), q.Get("iss"), code)
	}
}
