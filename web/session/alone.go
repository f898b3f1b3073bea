package session

import "net/http"

const (
	aloneCookie = "mandate_alone"
	// aloneLife is for how long, in seconds, an answer is kept: three months.
	aloneLife = 90 * 24 * 3600
)

// KeepAlone keeps on this device the answer that nobody else uses the account; it is
// no secret and opens nothing.
func (m *Manager) KeepAlone(w http.ResponseWriter) {
	http.SetCookie(w, m.cookie(aloneCookie, "1", aloneLife))
}

// Alone reports whether the answer was given here.
func (m *Manager) Alone(r *http.Request) bool {
	_, err := r.Cookie(m.name(aloneCookie))
	return err == nil
}
