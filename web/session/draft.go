package session

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

const (
	draftCookie = "mandate_draft"
	// draftLife is how long, in seconds, what was typed waits for a proof.
	draftLife = 15 * 60
	// longestDraft keeps the cookie below what every browser takes, in bytes.
	longestDraft = 2 << 10
	// longestForm bounds a form that is looked at without a log-in, in bytes.
	longestForm = 64 << 10
)

// Meets reports whether the log-in of a request meets what an action demands of
// the person's role.
func (m *Manager) Meets(r *http.Request, a identity.Action) bool {
	id, ok := From(r)
	return ok && m.demanded(a, id).Met(id.Session, m.d.Clock.Now())
}

// Late answers a form whose log-in does not meet what its action demands (SP-20):
// it keeps the fields named, and sends the person to prove what lacks and back to
// the page at the same address, which finds them by Draft. Secrets must not be
// named. The caller has checked the form token.
func (m *Manager) Late(w http.ResponseWriter, r *http.Request, a identity.Action, fields ...string) {
	id, ok := From(r)
	if !ok {
		m.d.Refuse(w, r, errs.New(errs.Unauthenticated, "sign-in-first", "This needs a sign-in."))
		return
	}
	if len(fields) > 0 {
		m.keep(w, r, id, fields)
	}
	m.prove(w, r, m.demanded(a, id).Level, id)
}

// Long is for a form that takes long to fill in (WCAG 2.2.1, SE-15): when the log-in has
// run out meanwhile, it keeps the fields named and sends the person to sign in and back
// to the page at the same address, which finds them by Draft. It runs inside Load;
// secrets must not be named. A form without its token is not kept.
func (m *Manager) Long(next http.Handler, fields ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := from(r)
		if r.Method != http.MethodPost || s.id != nil || s.fault != nil || s.session == "" || m.d.Lapsed == nil {
			next.ServeHTTP(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, longestForm)
		if m.Check(r, PurposePage) != nil {
			next.ServeHTTP(w, r)
			return
		}
		p, err := m.d.Lapsed(r.Context(), m.d.Tenant(r), s.session, m.meta(r, s, ""))
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		m.keep(w, r, Identity{Person: p}, fields)
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, m.d.SignInPath+"?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
	})
}

// keep seals fields into a cookie of this browser, for this person and address.
// What is too long for a cookie is not kept.
func (m *Manager) keep(w http.ResponseWriter, r *http.Request, id Identity, fields []string) {
	typed := url.Values{}
	for _, name := range fields {
		if list, ok := r.PostForm[name]; ok {
			typed[name] = list
		}
	}
	plain, err := json.Marshal(typed)
	if err != nil || len(plain) > longestDraft || from(r).browser == "" {
		return
	}
	boxed, err := keys.Box(m.draftKey(r), plain, draftBound(r, id))
	if err != nil {
		return
	}
	http.SetCookie(w, m.cookie(draftCookie, base64.RawURLEncoding.EncodeToString(boxed), draftLife))
}

// Draft gives, once, what Late kept of the form at the request's address; nil when
// there is nothing.
func (m *Manager) Draft(w http.ResponseWriter, r *http.Request) url.Values {
	c, err := r.Cookie(m.name(draftCookie))
	id, ok := From(r)
	if err != nil || !ok || from(r).browser == "" {
		return nil
	}
	boxed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return nil
	}
	plain, err := keys.Unbox(m.draftKey(r), boxed, draftBound(r, id))
	if err != nil {
		// It is of another page, or somebody else's.
		return nil
	}
	http.SetCookie(w, m.cookie(draftCookie, "", -1))
	var typed url.Values
	if json.Unmarshal(plain, &typed) != nil {
		return nil
	}
	return typed
}

// draftKey is that of this browser: its secret bears the mark of a key, so that a
// rotation of keys loses no draft.
func (m *Manager) draftKey(r *http.Request) []byte { return m.d.Hasher.Sum("draft", from(r).browser) }

func draftBound(r *http.Request, id Identity) []byte {
	return []byte(id.Person.Tenant + "\x00" + id.Person.ID + "\x00" + r.URL.Path)
}
