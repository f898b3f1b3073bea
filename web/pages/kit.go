package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// LangCookie keeps the chosen language. It holds no secret.
const LangCookie = "mandate_lang"

// Deps is what a Kit needs.
type Deps struct {
	// Words is required.
	Words *words.Catalogue
	// Log takes faults of templates; required.
	Log *slog.Logger
	// ProductName stands in titles; empty means "Mandate".
	ProductName string
	// Organisation runs this server, as people know it; empty leaves it out.
	Organisation string
	// HelpPhone is printed on every page as it is (E.164 or national).
	HelpPhone string
	// Zone is the time zone of dates on pages; nil means UTC.
	Zone *time.Location
	// Base is the path in front of all addresses that the kit links to: that of
	// its tenant, "" at the root.
	Base string
	// Links are the addresses of the menu; the zero value has the usual ones.
	Links Links
}

// Links are the addresses that pages link to. Empty ones take the defaults
// below Deps.Base.
type Links struct {
	Home, Apps, Activity, People, Messages, Factors, Devices, Help, SignIn, SignOut, StaffHome, CallCode, Recover string
	// Account is a person's own, Display how pages look, Accessibility the statement.
	Account, Display, Accessibility string
}

func (l Links) withDefaults(base string) Links {
	def := func(s *string, v string) {
		if *s == "" {
			*s = base + v
		}
	}
	def(&l.Home, "/home")
	def(&l.Apps, "/apps")
	def(&l.Activity, "/activity")
	def(&l.People, "/people")
	def(&l.Messages, "/messages")
	def(&l.Factors, "/factors")
	def(&l.Devices, "/devices")
	def(&l.Help, "/help")
	def(&l.SignIn, "/signin")
	def(&l.SignOut, "/signout")
	def(&l.StaffHome, "/staff")
	def(&l.Recover, "/recover")
	def(&l.Account, AccountPath)
	def(&l.Display, DisplayPath)
	def(&l.Accessibility, AccessibilityPath)
	def(&l.CallCode, "/call-code")
	return l
}

// Kit renders pages. It is safe for concurrent use.
type Kit struct {
	deps   Deps
	assets *assets
	// files are the links of every page's head, ceremony those of a page that
	// asks for a passkey.
	files, ceremony template.HTML
	sets            map[string]*template.Template
	buffers         *sync.Pool
	// standing tells as whom a reader acts; nil: nobody acts for others.
	standing func(*http.Request) Standing
}

// New parses the embedded templates for each language. It fails only when an
// embedded file is broken.
func New(d Deps) (*Kit, error) {
	if d.ProductName == "" {
		d.ProductName = "Mandate"
	}
	if d.Zone == nil {
		d.Zone = time.UTC
	}
	d.Links = d.Links.withDefaults(d.Base)
	a, err := loadAssets()
	if err != nil {
		return nil, err
	}
	k := &Kit{
		deps: d, assets: a, files: a.links(d.Base, false), ceremony: a.links(d.Base, true), sets: map[string]*template.Template{},
		buffers: &sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}
	for _, l := range words.Languages() {
		if k.sets[l.Code], err = k.parse(l.Code); err != nil {
			return nil, fmt.Errorf("page templates, %s: %w", l.Code, err)
		}
	}
	return k, nil
}

// For gives a kit for another tenant: its pages link below base and name its
// organisation. The parsed templates are shared.
func (k *Kit) For(base, organisation string) *Kit {
	d := k.deps
	d.Base, d.Organisation, d.Links = base, organisation, Links{}.withDefaults(base)
	return &Kit{deps: d, assets: k.assets, files: k.assets.links(base, false), ceremony: k.assets.links(base, true), sets: k.sets, buffers: k.buffers}
}

// Lang gives the language for a request: the query parameter "lang", then the
// cookie, then Accept-Language.
func (k *Kit) Lang(r *http.Request) string {
	if q := r.URL.Query().Get("lang"); k.sets[q] != nil {
		return q
	}
	chosen := ""
	if c, err := r.Cookie(LangCookie); err == nil {
		chosen = c.Value
	}
	return k.deps.Words.Negotiate(r.Header.Get("Accept-Language"), chosen)
}

// Words gives the catalogue, for handlers that need a sentence of their own.
func (k *Kit) Words() *words.Catalogue { return k.deps.Words }

// Render writes page with status. The page is rendered into memory first, so a
// fault in a template gives a plain 500 and nothing half-written. It sets the
// security headers, Cache-Control: no-store, and the language cookie when the
// request chose a language by "?lang=".
func (k *Kit) Render(w http.ResponseWriter, r *http.Request, status int, page Page) {
	view := k.view(r, page)
	buf := k.buffer()
	defer k.reuse(buf)
	if err := k.sets[view.F.Lang].ExecuteTemplate(buf, page.Template()+".html", view); err != nil {
		k.deps.Log.ErrorContext(r.Context(), "page not rendered", "page", page.Template(), "err", err)
		setSecurityHeaders(w.Header(), "", false)
		http.Error(w, k.deps.Words.T(view.F.Lang, "render.failed", words.Args{"phone": k.deps.HelpPhone}),
			http.StatusInternalServerError)
		return
	}
	h := w.Header()
	setSecurityHeaders(h, FormTarget(view.F.AppRedirect), view.Warn)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", view.F.Lang)
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	h.Add("Vary", "Accept-Language, Cookie")
	if r.URL.Query().Get("lang") == view.F.Lang {
		http.SetCookie(w, langCookie(r, view.F.Lang))
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(buf.Bytes()) // a reader that has gone away needs no answer
	}
}

// largestKept bounds the memory of a page that is kept for the next ones.
const largestKept = 64 << 10

func (k *Kit) buffer() *bytes.Buffer {
	if b, ok := k.buffers.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

// reuse keeps the memory of a page for the next, without what stood in it.
func (k *Kit) reuse(b *bytes.Buffer) {
	if b.Cap() > largestKept {
		return
	}
	clear(b.Bytes())
	b.Reset()
	k.buffers.Put(b)
}

func langCookie(r *http.Request, lang string) *http.Cookie {
	return &http.Cookie{
		Name: LangCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil,
	}
}

// view is what a template sees.
type view struct {
	F Frame
	// P is the page's view model.
	P Page
	// Title of the document without the product.
	Title  string
	Dir    string
	Deps   Deps
	Files  template.HTML
	Others []langLink
	// Look is how the page looks, as Look gives it.
	Look string
	// Here is the current path, to mark the menu's entry.
	Here string
	// Warn: the warning before the session's end is part of the page; Left is
	// the number of seconds until that end.
	Warn bool
	Left int
}

type langLink struct{ Code, Name, URL string }

// titled is a Page whose title is not simply "<template>.title".
type titled interface {
	titleKey(c *words.Catalogue, lang string) (key string, args words.Args)
}

func (k *Kit) view(r *http.Request, page Page) view {
	f := k.stands(r, page.Head())
	if _, ok := k.sets[f.Lang]; !ok {
		f.Lang = k.Lang(r)
	}
	v := view{F: f, P: page, Deps: k.deps, Dir: "ltr", Here: r.URL.Path, Files: k.files, Look: Look(r)}
	if asksPasskey(page) {
		v.Files = k.ceremony
	}
	v.Title = k.title(f, page)
	for _, l := range words.Languages() {
		if l.Code == f.Lang {
			v.Dir = l.Dir
			continue
		}
		v.Others = append(v.Others, langLink{l.Code, l.Name, langURL(r.URL, l.Code)})
	}
	if f.StayURL != "" && !f.SessionEnds.IsZero() {
		v.Warn, v.Left = true, int(f.SessionEnds.Sub(f.Now).Seconds())
	}
	return v
}

func (k *Kit) title(f Frame, page Page) string {
	if f.Title != "" {
		return f.Title
	}
	if p, ok := page.(titled); ok {
		key, args := p.titleKey(k.deps.Words, f.Lang)
		return k.deps.Words.T(f.Lang, key, args)
	}
	return k.deps.Words.T(f.Lang, page.Template()+".title", nil)
}

// langURL is the same address in another language. An overlong query is left
// out rather than repeated.
func langURL(u *url.URL, lang string) string {
	const longest = 4096
	q := url.Values{}
	if len(u.RawQuery) <= longest {
		q = u.Query()
	}
	q.Set("lang", lang)
	return (&url.URL{Path: "/" + strings.TrimLeft(u.Path, "/"), RawQuery: q.Encode()}).String()
}
