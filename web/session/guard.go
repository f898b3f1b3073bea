package session

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// FormField is the hidden field that carries the form token; web/pages writes
// it under this name.
const FormField = "csrf"

// PurposePage is the purpose of the token in the frame of every page. Forms
// that need no token of their own use it; the sign-out button does.
const PurposePage = "page"

// Token gives the form token for a purpose: a keyed hash over the browser, the
// session and the purpose, so that a page kept from another session or given
// to another browser posts in vain (SMART AZ-19). It is "" where Load does not
// run.
func (m *Manager) Token(r *http.Request, purpose string) string {
	s := from(r)
	if s.browser == "" {
		return ""
	}
	// Secrets are base64url, so the dot cannot be part of either.
	return base64.RawURLEncoding.EncodeToString(m.d.Hasher.Sum("form:"+purpose, s.browser+"."+s.session))
}

// ReadForm reads the form of a request of at most so many bytes. Errors: errs.Invalid
// with code form-unreadable.
func ReadForm(w http.ResponseWriter, r *http.Request, most int64) error {
	r.Body = http.MaxBytesReader(w, r.Body, most)
	if err := r.ParseForm(); err != nil {
		return errs.Wrap(err, errs.Invalid, "form-unreadable", "The form cannot be read or is too long.")
	}
	return nil
}

// Check compares the token in the posted form with the one for the purpose,
// in constant time. Errors: errs.Forbidden with code form-token.
func (m *Manager) Check(r *http.Request, purpose string) error {
	return m.CheckToken(r, purpose, r.PostFormValue(FormField))
}

// CheckToken is Check for a token that did not come in a form.
func (m *Manager) CheckToken(r *http.Request, purpose, presented string) error {
	want := m.Token(r, purpose)
	if want == "" || !ids.Equal(want, presented) {
		return errs.New(errs.Forbidden, "form-token", "The form was open too long or belongs to another session.")
	}
	return nil
}

func (m *Manager) protection() error {
	m.cross = http.NewCrossOriginProtection()
	m.cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.d.Refuse(w, r, errs.New(errs.Forbidden, "cross-site-request", "The request came from another site."))
	}))
	return m.cross.AddTrustedOrigin(m.origin)
}

// maxForm bounds a posted form, in bytes: no page has one that is longer, and
// reading a longer one would fill memory and disk before its token is checked.
const maxForm = 64 << 10

// Protect refuses posts from other sites with errs.Forbidden (D9), and lets
// nobody read more of a body than a form has. POST /authorize is cross-site by
// specification and must not be wrapped in it.
func (m *Manager) Protect(next http.Handler) http.Handler { return m.ProtectUpload(maxForm, next) }

// ProtectUpload is Protect for a form with files, of at most so many bytes. Its
// handler reads the parts one by one, the token first, so that nothing of a form is
// kept whose token is wrong.
func (m *Manager) ProtectUpload(most int64, next http.Handler) http.Handler {
	return m.cross.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, most)
		next.ServeHTTP(w, r)
	}))
}

// followsLink reports whether a person opens a page, rather than a script
// calling or a form being sent.
func followsLink(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// Address gives the client's IP address: the TCP peer, or, when that is a
// trusted proxy, the last address in X-Forwarded-For that is not one. It is
// "" when the peer has none.
func (m *Manager) Address(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && m.trusted(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap().WithZone("")
	}
	return addr.String()
}

func (m *Manager) trusted(a netip.Addr) bool {
	for _, p := range m.d.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Own gives next when it is an address of this tenant, and the tenant's path
// fallback otherwise.
func (m *Manager) Own(next, fallback string) string {
	local := LocalPath(next, "")
	u, err := url.Parse(local)
	if local == "" || err != nil || !m.d.Base.Owns(path.Clean(u.Path)) {
		return fallback
	}
	return local
}

// LocalPath gives next when it is a path on this server that a browser cannot
// read as another origin, and fallback otherwise: the guard against open
// redirects.
func LocalPath(next, fallback string) string {
	const longest = 4096
	if len(next) > longest || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return fallback
	}
	for _, c := range next {
		if c <= ' ' || c == 0x7f || c == '\\' {
			return fallback
		}
	}
	return next
}
