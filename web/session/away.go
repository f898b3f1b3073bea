package session

import (
	"net/http"
	"net/url"
)

// SeeOther sends a browser on, to another site perhaps, and leaves no trace of the
// address behind.
func SeeOther(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// Single gives a parameter that is there once, "" for none and for several.
func Single(q url.Values, name string) string {
	if len(q[name]) != 1 {
		return ""
	}
	return q[name][0]
}
