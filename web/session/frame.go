package session

import (
	"net/http"

	"github.com/mandate-health/mandate/web/pages"
)

// Frame gives the parts of a page that follow from the request's session: the
// form token for PurposePage, the person's name and the warning before the
// session ends. The caller adds what belongs to its page.
func (m *Manager) Frame(r *http.Request) pages.Frame {
	f := pages.Frame{CSRF: m.Token(r, PurposePage)}
	id, ok := From(r)
	if !ok {
		return f
	}
	f.SignedInAs = id.Person.Name
	f.SessionEnds, f.StayURL, f.Now = id.Session.IdleEnds, m.d.StayPath, m.d.Clock.Now()
	return f
}
