package session

import (
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// PurposePasskey is the purpose of the token that binds the challenge to a passkey
// to browser and session.
const PurposePasskey = "passkey"

// PurposeRecovery is the purpose of the token that binds what proves a person to get
// back into an account to the browser.
const PurposeRecovery = "recovery"

// Afresh sends somebody who follows a link to prove themself again and come back:
// with the second factor where the session has one, else with the password.
// Anything else is refused.
func (m *Manager) Afresh(w http.ResponseWriter, r *http.Request) {
	if !followsLink(r) {
		m.d.Refuse(w, r, errs.New(errs.Unauthenticated, "step-up-needed", "This needs a fresh log-in."))
		return
	}
	id, _ := From(r)
	m.prove(w, r, identity.AAL1, id)
}

// demanded gives what an action needs of the person behind a request, in the capacity
// that they act in on pages.
func demanded(a identity.Action, id Identity) identity.Demand {
	ask := identity.Ask{Action: a, Role: id.Person.Role}
	if id.Session.Acting != "" {
		ask.Capacity = fhir.CapacityDesignatedProxy
	}
	return identity.Demanded(identity.DefaultDemands(), ask)
}

// Ask sends somebody who follows a link and whose log-in does not meet what an
// action demands to prove it and come back. It reports whether it did.
func (m *Manager) Ask(w http.ResponseWriter, r *http.Request, a identity.Action) bool {
	if m.Meets(r, a) {
		return false
	}
	id, _ := From(r)
	m.prove(w, r, demanded(a, id).Level, id)
	return true
}

// prove sends a person to prove a level afresh and come back to this address: with
// the second factor where the session has one or needs one, else with the password.
func (m *Manager) prove(w http.ResponseWriter, r *http.Request, level identity.Level, id Identity) {
	path, next := m.d.SignInPath, url.Values{"next": {r.URL.RequestURI()}}
	if id.Session.Level().Reaches(identity.AAL2) || level == identity.AAL2 {
		path = m.d.CodePath
		next.Set("again", "1")
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, path+"?"+next.Encode(), http.StatusSeeOther)
}

// For lets only requests through whose log-in meets what the action demands of the
// person's role. Others are sent to prove more, or to prove themself again.
func (m *Manager) For(a identity.Action) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, ok := From(r)
			need := demanded(a, id)
			m.Require(need.Level)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if ok && !need.Met(id.Session, m.d.Clock.Now()) {
					m.Afresh(w, r)
					return
				}
				next.ServeHTTP(w, r)
			})).ServeHTTP(w, r)
		})
	}
}
