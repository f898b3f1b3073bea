package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed assets templates
var files embed.FS

// Patient is one row of the simulator's list.
type Patient struct {
	// ID is the logical id of the Patient resource.
	ID   string
	Name string
	// Encounter is the logical id of a visit that is open now; may be empty.
	Encounter string
}

// User is somebody who may sit at the simulated EHR.
type User struct {
	// Reference is relative, such as "Practitioner/dr-hale".
	Reference string
	Name      string
}

// App is a registered client that the simulator can open.
type App struct {
	ClientID  string
	Name      string
	LaunchURL string
}

// Config says where Mandate is and who the demonstration is. URLs are
// absolute and have no trailing slash.
type Config struct {
	// Base is the own public URL, such as http://localhost:8082.
	Base string
	// Issuer is Mandate's issuer, FHIRBase its FHIR base.
	Issuer   string
	FHIRBase string
	// LaunchURL is Mandate's launch registration endpoint.
	LaunchURL string
	// EHRClientID and EHRSecret authenticate the simulator there.
	EHRClientID string
	EHRSecret   string
	// AppClientID is the demo app: a public client with the redirect URI
	// {Base}/app/callback and the launch URL {Base}/app/launch.
	AppClientID string
	// Patients gives the list for the simulator.
	Patients func(ctx context.Context) ([]Patient, error)
	Users    []User
	Apps     []App
	// People can sign in; Cases are what they can look at.
	People []Person
	Cases  []Case
	// HTTP calls Mandate; nil means http.DefaultClient. Redirects are never
	// followed.
	HTTP *http.Client
	// Now is the clock.
	Now func() time.Time
}

func (c Config) validate() error {
	var faults []error
	for name, raw := range map[string]string{"Base": c.Base, "Issuer": c.Issuer, "FHIRBase": c.FHIRBase, "LaunchURL": c.LaunchURL} {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.HasSuffix(raw, "/") {
			faults = append(faults, fmt.Errorf("demo: %s %q is not an absolute URL without a trailing slash", name, raw))
		}
	}
	if c.AppClientID == "" || c.EHRClientID == "" || c.EHRSecret == "" {
		faults = append(faults, errors.New("demo: the client ids and the secret of the EHR are needed"))
	}
	if c.Patients == nil || c.Now == nil {
		faults = append(faults, errors.New("demo: Patients and Now are needed"))
	}
	return errors.Join(faults...)
}

// server is the whole demonstration.
type server struct {
	cfg    Config
	http   *http.Client
	pages  *template.Template
	assets map[string][]byte
	// appPolicy and ehrPolicy are the Content-Security-Policy of either part.
	appPolicy string
	ehrPolicy string
}

// New gives the handler of the demonstration's listener. Errors name each
// missing or malformed member of the configuration.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	client := http.Client{Timeout: 15 * time.Second}
	if cfg.HTTP != nil {
		client = *cfg.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &server{cfg: cfg, http: &client, assets: map[string][]byte{}}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.policies()
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler("/app/", http.StatusSeeOther))
	mux.HandleFunc("GET /app/{$}", s.app)
	mux.HandleFunc("GET /app/launch", s.app)
	mux.HandleFunc("GET /app/callback", s.callback)
	mux.HandleFunc("GET /people/{$}", s.people)
	mux.HandleFunc("GET /assets/{name}", s.asset)
	mux.HandleFunc("GET /ehr/{$}", s.patients)
	mux.HandleFunc("GET /ehr/launch", s.launchForm)
	mux.HandleFunc("POST /ehr/launch", s.launch)
	mux.HandleFunc("GET /ehr/style.json", s.style)
	mux.HandleFunc("GET /ehr/faults", s.faults)
	mux.HandleFunc("POST /ehr/faults/{id}", s.runFault)
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// load reads the embedded files once.
func (s *server) load() error {
	entries, err := files.ReadDir("assets")
	if err != nil {
		return fmt.Errorf("demo: the embedded assets: %w", err)
	}
	for _, e := range entries {
		if s.assets[e.Name()], err = files.ReadFile("assets/" + e.Name()); err != nil {
			return fmt.Errorf("demo: the embedded asset %s: %w", e.Name(), err)
		}
	}
	integrity := func(name string) string {
		sum := sha512.Sum384(s.assets[name])
		return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
	}
	s.pages, err = template.New("").Funcs(template.FuncMap{"sri": integrity}).ParseFS(files, "templates/*.html")
	return err
}

// policies prepares the security policies. The app's page may talk to Mandate
// and to nobody else. Chromium follows a form's redirects with form-action, so
// the simulator's names the apps it opens and Mandate.
func (s *server) policies() {
	mandate := []string{origin(s.cfg.Issuer)}
	if o := origin(s.cfg.FHIRBase); !slices.Contains(mandate, o) {
		mandate = append(mandate, o)
	}
	const common = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
	s.appPolicy = common + "script-src 'self'; form-action 'none'; connect-src " + strings.Join(mandate, " ")
	targets := append([]string{"'self'"}, mandate...)
	for _, a := range s.cfg.Apps {
		if o := origin(a.LaunchURL); o != "" && !slices.Contains(targets, o) {
			targets = append(targets, o)
		}
	}
	s.ehrPolicy = common + "form-action " + strings.Join(targets, " ")
}

// origin gives scheme://host of a URL, "" when it has none or when the host
// could break out of a header.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || strings.ContainsAny(u.Host, " ;,'\"*") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// link is one entry of the menu.
type link struct {
	URL, Text string
	Current   bool
}

// frame is what all pages share.
type frame struct {
	Title, Product string
	// Script adds the app's script.
	Script bool
	Nav    []link
}

func ehrFrame(title, here string) frame {
	f := frame{Title: title, Product: "Lakeside EHR simulator"}
	for _, l := range []link{{URL: "/ehr/", Text: "Patients"}, {URL: "/ehr/faults", Text: "Faults"}, {URL: "/app/", Text: "Heart Diary"}, {URL: "/people/", Text: "People"}} {
		l.Current = l.URL == here
		f.Nav = append(f.Nav, l)
	}
	return f
}

// render writes a page with its security headers.
func (s *server) render(w http.ResponseWriter, status int, name, policy string, data any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a reader that has gone away needs no answer
}

func (s *server) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	body, ok := s.assets[name]
	kind := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(name)]
	if !ok || kind == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(body)
}

// style serves the colours that smart_style_url names (SMART CTX-12): public,
// for any origin, under an address that changes with the content.
func (s *server) style(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(s.assets["style.json"])
}

func (s *server) styleURL() string {
	sum := sha256.Sum256(s.assets["style.json"])
	return s.cfg.Base + "/ehr/style.json?v=" + hex.EncodeToString(sum[:6])
}
