package session

import (
	"net/http"

	"github.com/mandate-health/mandate/internal/errs"
)

// Oneself turns away people who act for somebody else: the page is about their own
// record or their own work, and would be read as somebody else's (rule 4 of the
// screens, TR-44). The error is errs.Forbidden with code as-oneself.
func (m *Manager) Oneself(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, in := From(r); in && id.Session.Acting != "" {
			m.d.Refuse(w, r, errs.New(errs.Forbidden, "as-oneself", "You act for somebody else now. Turn back to yourself first."))
			return
		}
		next.ServeHTTP(w, r)
	})
}
