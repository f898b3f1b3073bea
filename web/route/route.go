package route

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Auth says what a caller has to present.
type Auth string

// The ways to authenticate a request.
const (
	// None: anybody. Needs a Reason.
	None Auth = "none"
	// Session: the cookie of a live log-in session.
	Session Auth = "session"
	// Client: OAuth client authentication.
	Client Auth = "client"
	// Bearer: an access token.
	Bearer Auth = "bearer"
	// Flow: the cookie of the browser that began the authorization request.
	Flow Auth = "flow"
	// Dev: development only; the route does not exist in serve.
	Dev Auth = "dev"
)

// Class says which data a route's answer or body may hold.
type Class string

// The classes of data.
const (
	NoPHI Class = "none"
	// Identifiers of people, no clinical data.
	Identifiers Class = "identifiers"
	// Record: parts of a health record.
	Record Class = "record"
)

// Route is one method on one path with the facts about it.
type Route struct {
	Method string
	// Path is a gorilla/mux pattern such as "/apps/{id}".
	Path string
	Auth Auth
	// Scopes says in words or as a scope pattern what a bearer token needs.
	Scopes string
	PHI    Class
	// Limit names the class of request limits that applies; empty means the
	// general one.
	Limit string
	// Owner is the import path below the module, such as "web/pages/signin".
	Owner string
	// Reason tells why Auth is None.
	Reason string
	// Operation describes a route of a JSON API; nil for others.
	Operation *Operation
	Handler   http.Handler
}

// Validate reports what is missing or contradictory, all faults at once.
func (r Route) Validate() error {
	var faults []error
	miss := func(bad bool, text string) {
		if bad {
			faults = append(faults, fmt.Errorf("route %s %s: %s", r.Method, r.Path, text))
		}
	}
	miss(r.Method == "" || r.Method != strings.ToUpper(r.Method), "the method is missing or not in capitals")
	miss(!strings.HasPrefix(r.Path, "/"), "the path does not begin with a slash")
	miss(r.Owner == "", "the owner is missing")
	miss(r.Handler == nil, "the handler is missing")
	switch r.Auth {
	case None, Session, Client, Bearer, Flow, Dev:
	default:
		miss(true, "the authentication is unknown")
	}
	switch r.PHI {
	case NoPHI, Identifiers, Record:
	default:
		miss(true, "the class of data is unknown")
	}
	miss(r.Auth == None && r.Reason == "", "open to anybody without a reason")
	miss(r.Auth != None && r.Reason != "", "a reason is only for routes open to anybody")
	miss(r.Auth == None && r.PHI == Record, "parts of a record are open to anybody")
	return errors.Join(faults...)
}
