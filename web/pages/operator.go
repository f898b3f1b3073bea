package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// RegisteredApp is a client as operators see it.
type RegisteredApp struct {
	Name, Maker, ID string
	// Kind is public, symmetric, asymmetric or backend.
	Kind string
	// State is pending, approved or disabled.
	State string
	// Idle is since when it is marked as one that nobody uses; zero: it is not.
	Idle time.Time
	// Verified is when its maker was checked; zero: never.
	Verified time.Time
	// Due is the last day for the next step of a pending one, DaysLeft how many
	// business days follow today until then; zero Due: nothing is due.
	Due      time.Time
	DaysLeft int
	Late     bool
	// URL is its own page.
	URL string
}

// OperatorClients lists the apps and services that are registered, those first
// that wait for a decision.
type OperatorClients struct {
	Frame
	Waiting, Apps []RegisteredApp
}

// Template names the page.
func (OperatorClients) Template() string { return "operator-clients" }

// OperatorClient shows one registration, what can be decided about it, and its
// last requests.
type OperatorClient struct {
	Frame
	App         RegisteredApp
	Credentials string
	Addresses   []string
	Scopes      []string
	// Acts are the decisions that are open.
	Acts []OperatorAct
	// Requests are the latest first.
	Requests []AppRequest
}

// OperatorAct is one decision: Key is verify, approve, refuse, disable or enable.
type OperatorAct struct{ Key, URL string }

// AppRequest is one line of an app's flight recorder.
type AppRequest struct {
	At time.Time
	// Act is the kind of the audit event, Outcome granted, refused or failed.
	Act, Outcome string
	// Cause is the stable cause code, Hint what its developer can do, DocsURL its
	// page; all may be empty.
	Cause, Hint, DocsURL string
	// Scopes became of the requested ones what Became says.
	Scopes []AppRequestScope
}

// AppRequestScope is one requested scope that was not granted as it was.
type AppRequestScope struct{ Scope, Cause, Hint string }

// Template names the page.
func (OperatorClient) Template() string { return "operator-client" }

func (p OperatorClient) titleKey(*words.Catalogue, string) (string, words.Args) {
	if p.App.State == "pending" {
		return "operator-client.waiting_title", words.Args{"app": p.App.Name}
	}
	return "operator-client.title", words.Args{"app": p.App.Name}
}

// OperatorDecide asks once before a decision. Posts: answer=yes or answer=no.
type OperatorDecide struct {
	Frame
	App RegisteredApp
	// Act is as in OperatorAct.
	Act string
}

// Template names the page.
func (OperatorDecide) Template() string { return "operator-decide" }

func (p OperatorDecide) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "operator-decide." + p.Act, words.Args{"app": p.App.Name}
}
