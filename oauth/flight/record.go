package flight

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/scope"
)

// Record is one request of a client, as its developer may see it.
type Record struct {
	Tenant   string `json:"-"`
	ClientID string `json:"-"`
	// RequestID is the X-Request-Id of the answer.
	RequestID string    `json:"request_id,omitempty"`
	At        time.Time `json:"at"`
	// Act is the kind of the audit event, such as "token.refused".
	Act string `json:"act"`
	// Outcome is granted, refused or failed: the last is no fault of the client.
	Outcome string `json:"outcome"`
	// Cause is the stable cause code, empty when all went well.
	Cause string `json:"cause,omitempty"`
	// GrantType and Method are those of a token request.
	GrantType string `json:"grant_type,omitempty"`
	Method    string `json:"client_authentication,omitempty"`
	// Type is the FHIR type asked for, never an id.
	Type string `json:"type,omitempty"`
	// Scopes were granted, Explained were not, or not whole: together they are
	// what was requested.
	Scopes    []string      `json:"scopes,omitempty"`
	Explained []Explanation `json:"explained,omitempty"`
}

// Explanation says what became of one requested scope.
type Explanation struct {
	Scope string `json:"scope"`
	// Cause is the stable cause code, such as "not-registered".
	Cause string `json:"code"`
	// Became holds the narrower scopes granted instead.
	Became []string `json:"became,omitempty"`
}

// The outcomes.
const (
	Granted = "granted"
	Refused = "refused"
	Failed  = "failed"
)

// The names of details of audit events that a record takes over.
const (
	detailGrantType = "grant_type"
	detailMethod    = "method"
	detailScope     = "scope"
	detailScopes    = "scopes"
	detailExplained = "explained"
)

// Of gives the record of an event. ok is false for events of no client and for
// those a developer learns nothing from, such as a successful read.
func Of(e audit.Event) (r Record, ok bool) {
	if e.ClientID == "" || !told(&e) {
		return r, false
	}
	r = Record{
		Tenant: e.Tenant, ClientID: e.ClientID, RequestID: word(e.RequestID), At: e.Time.UTC(), Act: string(e.Kind),
		Outcome: outcome(e), GrantType: word(e.Detail[detailGrantType]), Method: word(e.Detail[detailMethod]),
	}
	if r.Outcome != Granted {
		r.Cause = word(e.Reason)
	}
	if scope.KnownType(e.Resource.Type) {
		r.Type = e.Resource.Type
	}
	for _, text := range strings.Fields(e.Detail[detailScope] + " " + e.Detail[detailScopes]) {
		r.Scopes = append(r.Scopes, masked(text))
	}
	r.Explained = explained(e.Detail[detailExplained])
	return r, true
}

// told says which events make a record.
func told(e *audit.Event) bool {
	switch e.Kind {
	case audit.FHIRRead, audit.FHIRSearch, audit.FHIRWrite, audit.FHIROperation, audit.AuditRead, audit.TokenIntrospected:
		return e.Outcome != audit.Success
	case audit.ClientRegistered, audit.ClientChanged, audit.LaunchUsed:
		return false
	}
	return true
}

func outcome(e audit.Event) string {
	switch e.Outcome {
	case audit.Success:
		return Granted
	case audit.SeriousFailure:
		return Failed
	}
	return Refused
}

// maxScopes bounds the explanations of one record; maxScope one scope in bytes.
const (
	maxScopes = 200
	maxScope  = 160
)

func explained(raw string) []Explanation {
	if raw == "" {
		return nil
	}
	var all []Explanation
	if json.Unmarshal([]byte(raw), &all) != nil {
		return nil
	}
	all = all[:min(len(all), maxScopes)]
	for i, one := range all {
		all[i] = Explanation{Scope: masked(one.Scope), Cause: word(one.Cause)}
		for _, became := range one.Became {
			all[i].Became = append(all[i].Became, masked(became))
		}
	}
	return all
}

// plain matches what the names of scopes, codes and methods are made of.
var plain = regexp.MustCompile(`^[A-Za-z0-9_.:/*%|,-]+$`)

// unreadable stands for a text that is not shown.
const unreadable = "(not shown)"

// word gives a code as it is, and nothing of what is none.
func word(s string) string {
	if s == "" || len(s) <= 80 && plain.MatchString(s) {
		return s
	}
	return unreadable
}

// masked gives a scope without what a search parameter may say of a person: the
// values of category and code come from a published list and stay, those of
// others do not.
func masked(text string) string {
	path, query, limited := strings.Cut(text, "?")
	if len(text) > maxScope || !plain.MatchString(path) {
		return unreadable
	}
	if !limited {
		return path
	}
	params := strings.Split(query, "&")
	for i, p := range params {
		name, value, _ := strings.Cut(p, "=")
		if !plain.MatchString(name) {
			return unreadable
		}
		bare, _, _ := strings.Cut(name, ":")
		if !slices.Contains([]string{"category", "code", "class", "type"}, bare) || !plain.MatchString(value) {
			params[i] = name + "=…"
		}
	}
	return path + "?" + strings.Join(params, "&")
}
