package session

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/internal/ids"
)

// LangCookie keeps the chosen language; web/pages reads it under this name.
const LangCookie = "mandate_lang"

// LookCookie keeps how pages are to look; web/pages reads it under this name.
const LookCookie = "mandate_look"

// awayCookie names the request of a browser that is away at another identity
// provider.
const (
	awayCookie    = "mandate_away"
	tripCookie    = "mandate_trip"
	awayLife      = 30 * 60 // seconds
	sessionCookie = "mandate_session"
	flowCookie    = "mandate_flow"
	deviceCookie  = "mandate_device"
	// recoveryCookie is that of a way back into an account, which takes days.
	recoveryCookie = "mandate_recovery"
	recoveryLife   = 8 * 24 * 3600
	secretBytes    = 32
	secretText     = 43 // in base64url
	yearSeconds    = 365 * 24 * 3600
	// deviceLife is the longest life that browsers give a cookie.
	deviceLife = 400 * 24 * 3600
)

// Start puts the secret of a new or rotated session into the cookie (SE-12,
// SE-13). It lives as long as the browser; the server ends it by its own
// limits.
func (m *Manager) Start(w http.ResponseWriter, secret string) {
	http.SetCookie(w, m.cookie(sessionCookie, secret, 0))
}

// Know keeps the secret by which this device is known again (SM-06); "" keeps what
// there is.
func (m *Manager) Know(w http.ResponseWriter, device string) {
	if device != "" {
		http.SetCookie(w, m.cookie(deviceCookie, device, deviceLife))
	}
}

// OwnDevice gives the secret of a device as far as this server gave it out, without
// looking anything up; "" for any other text.
func (m *Manager) OwnDevice(r *http.Request) string {
	if device := m.read(r, deviceCookie); m.d.Hasher.Made(device) {
		return device
	}
	return ""
}

// End removes the session cookie, and what was typed and waits for a proof.
func (m *Manager) End(w http.ResponseWriter) {
	http.SetCookie(w, m.cookie(sessionCookie, "", -1))
	http.SetCookie(w, m.cookie(draftCookie, "", -1))
}

// SetLanguage keeps a language for a year. The caller has checked that it is
// offered.
func (m *Manager) SetLanguage(w http.ResponseWriter, language string) {
	c := m.cookie("", language, yearSeconds)
	c.Name = LangCookie
	http.SetCookie(w, c)
}

// SetLook keeps how pages are to look for a year, "" for the common look; on a
// shared device as long as the browser is open.
func (m *Manager) SetLook(w http.ResponseWriter, look string, shared bool) {
	c := m.cookie("", look, yearSeconds)
	c.Name = LookCookie
	switch {
	case look == "":
		c.MaxAge = -1
	case shared:
		c.MaxAge = 0
	}
	http.SetCookie(w, c)
}

// CookieName gives the name under which the session cookie travels, for
// tests and documentation.
func (m *Manager) CookieName() string { return m.name(sessionCookie) }

func (m *Manager) name(base string) string {
	if id := m.d.Base.Tenant(); id != "" {
		base += "_" + id
	}
	if m.secure {
		return "__Host-" + base
	}
	return base
}

func (m *Manager) cookie(base, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: m.name(base), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: m.secure, SameSite: http.SameSiteLaxMode,
	}
}

// read gives the secret in a cookie, "" when there is none or it cannot be one
// of ours.
func (m *Manager) read(r *http.Request, base string) string {
	c, err := r.Cookie(m.name(base))
	if err != nil {
		return ""
	}
	text := strings.TrimPrefix(c.Value, ids.Mark(c.Value))
	if b, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil || len(b) != secretBytes || len(text) != secretText {
		return ""
	}
	return c.Value
}

// RememberFlow notes, for half an hour, for which request this browser went to
// another identity provider; RememberedFlow gives its id and ForgetFlow drops it.
func (m *Manager) RememberFlow(w http.ResponseWriter, id string) {
	http.SetCookie(w, m.cookie(awayCookie, id, awayLife))
}

// RememberedFlow gives the id of RememberFlow, "" without one. Whose request it
// is must still be asked.
func (m *Manager) RememberedFlow(r *http.Request) string {
	c, err := r.Cookie(m.name(awayCookie))
	if err != nil || len(c.Value) > secretText {
		return ""
	}
	return c.Value
}

// ForgetFlow drops what RememberFlow noted.
func (m *Manager) ForgetFlow(w http.ResponseWriter) {
	http.SetCookie(w, m.cookie(awayCookie, "", -1))
}

// KeepTrip keeps, sealed, for half an hour, what a protocol cannot carry to another
// identity provider and back; Trip gives it, "" without one, and ForgetTrip drops it.
// Whether it is of this browser must still be asked.
func (m *Manager) KeepTrip(w http.ResponseWriter, sealed string) {
	http.SetCookie(w, m.cookie(tripCookie, sealed, awayLife))
}

// Trip gives what KeepTrip kept.
func (m *Manager) Trip(r *http.Request) string {
	c, err := r.Cookie(m.name(tripCookie))
	if err != nil {
		return ""
	}
	return c.Value
}

// ForgetTrip drops it.
func (m *Manager) ForgetTrip(w http.ResponseWriter) {
	http.SetCookie(w, m.cookie(tripCookie, "", -1))
}

// RememberRecovery keeps the secret of a way back into an account.
func (m *Manager) RememberRecovery(w http.ResponseWriter, secret string) {
	http.SetCookie(w, m.cookie(recoveryCookie, secret, recoveryLife))
}

// Recovery gives the secret of RememberRecovery, "" without one.
func (m *Manager) Recovery(r *http.Request) string { return m.read(r, recoveryCookie) }

// ForgetRecovery drops it.
func (m *Manager) ForgetRecovery(w http.ResponseWriter) {
	http.SetCookie(w, m.cookie(recoveryCookie, "", -1))
}
