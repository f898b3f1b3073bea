package session

import (
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// LevelField names, in the address of the page of the second factor and in its forms,
// the level that is asked for; it is empty for two factors, and levelBest for the best
// factor that the person has, be it the password. It is a wish: the page that comes
// after looks for itself.
const (
	LevelField = "level"
	levelBound = "3"
	levelBest  = "1"
)

// Asked gives the level that a request to the page of the second factor is about.
func Asked(v url.Values) identity.Level {
	switch v.Get(LevelField) {
	case levelBound:
		return identity.AAL3
	case levelBest:
		return identity.AAL1
	}
	return identity.AAL2
}

// AskFor adds to the address of the page of the second factor what it is to ask for.
func AskFor(v url.Values, level identity.Level) {
	switch level {
	case identity.AAL3:
		v.Set(LevelField, levelBound)
	case identity.AAL1:
		v.Set(LevelField, levelBest)
	}
}

// PurposePasskey is the purpose of the token that binds the challenge to a passkey
// to browser and session.
const PurposePasskey = "passkey"

// PurposeRecovery is the purpose of the token that binds what proves a person to get
// back into an account to the browser.
const PurposeRecovery = "recovery"

// Afresh sends somebody who follows a link to prove themself again and come back: with
// the best factor that they have. Anything else is refused.
func (m *Manager) Afresh(w http.ResponseWriter, r *http.Request) {
	if !followsLink(r) {
		m.d.Refuse(w, r, errs.New(errs.Unauthenticated, "step-up-needed", "This needs a fresh log-in."))
		return
	}
	id, _ := From(r)
	level := identity.AAL1
	if id.Session.Level() == identity.AAL2 {
		// What two factors do not suffice for asks for the key that the role needs.
		level = m.demanded(identity.ActLook, id).Level
	}
	m.prove(w, r, level, id)
}

// demanded gives what an action needs of the person behind a request, in the capacity
// that they act in on pages.
func (m *Manager) demanded(a identity.Action, id Identity) identity.Demand {
	ask := identity.Ask{Action: a, Role: id.Person.Role}
	if id.Session.Acting != "" {
		ask.Capacity = fhir.CapacityDesignatedProxy
	}
	return identity.Demanded(m.d.Demands, ask)
}

// Ask sends somebody who follows a link and whose log-in does not meet what an
// action demands to prove it and come back. It reports whether it did.
func (m *Manager) Ask(w http.ResponseWriter, r *http.Request, a identity.Action) bool {
	if m.Meets(r, a) {
		return false
	}
	id, _ := From(r)
	m.prove(w, r, m.demanded(a, id).Level, id)
	return true
}

// prove sends a person to prove a level afresh and come back to this address, but for
// no less than the session has. Where AAL1 will do, the page asks for the second factor
// of those who have one, for it may be what lacks (a log-in by a code that was sent), and
// only of the others for the password. For AAL3 it asks for a passkey that stays on its
// device.
func (m *Manager) prove(w http.ResponseWriter, r *http.Request, level identity.Level, id Identity) {
	next := url.Values{"next": {r.URL.RequestURI()}, "again": {"1"}}
	if id.Session.Level().Reaches(identity.AAL2) && !level.Reaches(identity.AAL2) {
		level = identity.AAL2
	}
	AskFor(next, level)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, m.d.CodePath+"?"+next.Encode(), http.StatusSeeOther)
}

// For lets only requests through whose log-in meets what the action demands of the
// person's role. Others are sent to prove more, or to prove themself again.
func (m *Manager) For(a identity.Action) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, ok := From(r)
			need := m.demanded(a, id)
			m.Require(need.Level)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if ok && !need.Met(id.Session, m.d.Clock.Now()) {
					if !followsLink(r) {
						m.Afresh(w, r)
						return
					}
					m.prove(w, r, need.Level, id)
					return
				}
				next.ServeHTTP(w, r)
			})).ServeHTTP(w, r)
		})
	}
}
