package screens

import (
	"time"

	"github.com/mandate-health/mandate/web/pages"
)

func operatorScreens() []Screen {
	return []Screen{
		{"operator-clients", groupStaff, func(s State) pages.Page {
			p := pages.OperatorClients{Frame: staff(in(s, names(s).Nurse, general()))}
			if s != Empty {
				late := waitingApp(s)
				late.DaysLeft, late.Late, late.Due, late.Verified = -2, true, ago(3), ago(9)
				p.Waiting = []pages.RegisteredApp{waitingApp(s), late}
				p.Apps = []pages.RegisteredApp{registeredApp(s, "approved"), registeredApp(s, "disabled")}
			}
			return p
		}},
		{"operator-client", groupStaff, operatorClientScreen},
		{"operator-client-waiting", groupStaff, func(s State) pages.Page {
			return pages.OperatorClient{
				Frame: staff(in(s, names(s).Nurse, general())), App: waitingApp(s), Scopes: technical().Scopes,
				Acts: []pages.OperatorAct{{Key: "verify", URL: "#"}, {Key: "approve", URL: "#"}, {Key: "refuse", URL: "#"}},
			}
		}},
		{"operator-matches", groupStaff, func(s State) pages.Page {
			p := pages.OperatorMatches{Frame: staff(in(s, names(s).Nurse, general()))}
			if s != Empty {
				p.Cases = []pages.SignInMatch{matchCase(s)}
			}
			return p
		}},
		{"operator-match", groupStaff, func(s State) pages.Page {
			return pages.OperatorMatch{
				Frame: staff(in(s, names(s).Nurse, pages.FieldError{Field: "username", Key: pages.ErrNoAccount})), Case: matchCase(s),
			}
		}},
		{"operator-keys", groupStaff, operatorKeysScreen},
		{"operator-rotate", groupStaff, func(s State) pages.Page {
			return pages.OperatorRotate{Frame: staff(in(s, names(s).Nurse, general())), Kind: "access-token"}
		}},
		{"operator-explain", groupStaff, func(s State) pages.Page {
			p := pages.OperatorExplain{Frame: staff(in(s, names(s).Nurse, general())), Of: pages.ExplainGrant}
			if s == Error {
				p.Errors = []pages.FieldError{{Field: "id", Key: pages.ErrExplainID}}
			}
			return p
		}},
		{"operator-explain-allowed", groupStaff, func(s State) pages.Page { return explainScreen(s, true) }},
		{"operator-explain-refused", groupStaff, func(s State) pages.Page { return explainScreen(s, false) }},
		{"operator-decide-refuse", groupStaff, decideScreen("refuse")},
		{"operator-decide-approve", groupStaff, decideScreen("approve")},
		{"operator-decide-disable", groupStaff, decideScreen("disable")},
	}
}

func registeredApp(s State, state string) pages.RegisteredApp {
	n := names(s)
	return pages.RegisteredApp{Name: n.App, Maker: n.Maker, ID: "heart-diary", Kind: "public", State: state, Verified: ago(200), URL: "#"}
}

func waitingApp(s State) pages.RegisteredApp {
	a := registeredApp(s, "pending")
	a.Verified, a.Due, a.DaysLeft = time.Time{}, ahead(8), 6
	return a
}

func operatorClientScreen(s State) pages.Page {
	p := pages.OperatorClient{
		Frame: staff(in(s, names(s).Nurse, general())), App: registeredApp(s, "approved"), Credentials: "none",
		Acts: []pages.OperatorAct{{Key: "disable", URL: "#"}},
	}
	if s == Empty {
		return p
	}
	p.Addresses, p.Scopes = []string{technical().RedirectURI}, technical().Scopes
	p.Requests = []pages.AppRequest{
		{
			At: ago(0), Act: "token.refused", Outcome: "refused", Cause: "verifier-mismatch", DocsURL: "#",
			Hint: "The code_verifier does not belong to the code_challenge. Was it kept for the right request?",
		},
		{
			At: ago(1), Act: "grant.created", Outcome: "granted",
			Scopes: []pages.AppRequestScope{
				{Scope: "patient/Obsrevation.rs", Cause: "scope-unknown", Hint: "The scope is in neither SMART syntax."},
				{Scope: "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|social-history", Cause: "not-chosen"},
			},
		},
		{At: ago(2), Act: "fhir.search", Outcome: "failed", Cause: "upstream-unreachable", DocsURL: "#"},
	}
	return p
}

func decideScreen(act string) func(State) pages.Page {
	return func(s State) pages.Page {
		return pages.OperatorDecide{Frame: staff(in(s, names(s).Nurse, general())), App: registeredApp(s, "approved"), Act: act}
	}
}

func operatorKeysScreen(s State) pages.Page {
	p := pages.OperatorKeys{Frame: staff(in(s, names(s).Nurse, general()))}
	if s == Empty {
		return p
	}
	p.Keeps = true
	p.Groups = []pages.KeyGroup{
		{Kind: "id-token", Overdue: true, RotateURL: "#", Keys: []pages.KeyRow{
			{ID: "Zk3Jb1x0Rr2P", Where: "store", State: "active", Made: ago(120), Due: ago(30), Overdue: true},
		}},
		{Kind: "access-token", RotateURL: "#", Keys: []pages.KeyRow{
			{ID: "q9S0Vv7cK1mA", Where: "hsm", State: "retired", Made: ago(100)},
			{ID: "b2LxT5uPz8Qe", Where: "hsm", State: "active", Made: ago(10), Due: ahead(80)},
			{ID: "m7Yd4HnW3sRf", Where: "hsm", State: "announced", Made: ago(0), Due: ahead(90)},
		}},
		{Kind: "kek", Keys: []pages.KeyRow{{ID: "k1", Where: "file", State: "active"}}},
	}
	return p
}

// matchCase is somebody of whom nobody knows yet who they are.
func matchCase(s State) pages.SignInMatch {
	return pages.SignInMatch{
		URL: "#", Provider: "Lakeside EHR", Since: ago(2), Found: []string{"Patient/rosa", "Patient/twin"},
		Said: []pages.SignInSaid{{Name: "birthdate", Value: "1948-03-04"}, {Name: "name", Value: names(s).Patient}},
	}
}
