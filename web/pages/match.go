package pages

import "time"

// OperatorMatches lists the people who signed in at another provider and of whom
// nobody knows yet who they are here.
type OperatorMatches struct {
	Frame
	Cases []SignInMatch
}

// Template names the page.
func (OperatorMatches) Template() string { return "operator-matches" }

// SignInMatch is one of them: what the provider says, and the records that fit.
type SignInMatch struct {
	URL, Provider string
	Said          []SignInSaid
	Found         []string
	Since         time.Time
}

// SignInSaid is one thing that a provider says of somebody.
type SignInSaid struct{ Name, Value string }

// OperatorMatch asks who somebody is. Posts: answer=link with username, or
// answer=refuse.
type OperatorMatch struct {
	Frame
	Case SignInMatch
	// Username keeps what was typed.
	Username string
}

// Template names the page.
func (OperatorMatch) Template() string { return "operator-match" }

// ErrNoAccount says that there is no account of that name.
const ErrNoAccount = "field.no_account"
