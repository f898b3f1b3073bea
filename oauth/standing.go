package oauth

import "time"

// Standing is a grant with everything that decides whether it still stands and
// what it still gives, read at one moment: a request under a grant reads once.
type Standing struct {
	// Grant is zero for a token of a client that acts for itself.
	Grant Grant
	// Client is the one that the code or token was given to. Its ID is empty
	// when it is not registered any more.
	Client Client
	// PersonActive says that the account exists and is not disabled.
	PersonActive bool
	// SessionEnds is the absolute end of the log-in session in which the grant
	// was made; zero when there is none or it was ended.
	SessionEnds time.Time
	// ConsentEpoch is that of the patient whose record the grant is about.
	ConsentEpoch int64
	// ApprovalEnded says that the Consent which records the grant was withdrawn:
	// the grant is then over, however it was withdrawn (REV-03).
	ApprovalEnded bool
}

// Live reports whether the grant gives anything at t as far as its own end goes:
// it is not revoked, not over, and none of those that its client lost together.
func (s Standing) Live(t time.Time) bool {
	return s.Grant.Live(t) && !s.Client.Lost(s.Grant)
}

// TokenRef is what an access token says about itself. GrantID is empty for a
// client that acts for itself.
type TokenRef struct{ ID, ClientID, GrantID string }

// SignedIn reports whether the log-in session lives at t. An app at work in the
// background keeps its log-in alive up to the absolute end: only signing out or
// that end stops it (SCP-21).
func (s Standing) SignedIn(t time.Time) bool {
	return !s.SessionEnds.IsZero() && t.Before(s.SessionEnds)
}
