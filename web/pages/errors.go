package pages

import "github.com/mandate-health/mandate/internal/words"

// ErrorPage says what happened, what it means and what to do. The sentences
// come from the keys "error.<Cause>.what", ".means" and ".do"; a Cause without
// any takes those of Kind, a Kind without any the general ones.
type ErrorPage struct {
	Frame
	// Cause is the stable code of internal/errs; Kind its kind. Neither is
	// shown but to developers.
	Cause, Kind string
	// Developer is set on the page that documents the cause for developers.
	Developer *ErrorFacts
	// SupportCode identifies the event for the help desk; it tells nothing else.
	SupportCode string
	// AppName is the app concerned, if known from a registered client.
	AppName string
	// ReturnURL and ReturnKey are the next step: a link and its message key;
	// empty gives a link to the start page ("error.to_start").
	ReturnURL, ReturnKey string
}

// ErrorFacts is what a developer reads of a cause: how an OAuth endpoint tells it,
// and what to do about it, in English like the specifications.
type ErrorFacts struct {
	Code, Error string
	Status      int
	// Hint may be empty: then error_description says it all.
	Hint string
}

// Template names the page.
func (ErrorPage) Template() string { return "error" }

func (p ErrorPage) titleKey(c *words.Catalogue, lang string) (string, words.Args) {
	app := p.AppName
	if app == "" {
		app = c.T(lang, "error.the_app", nil)
	}
	return errorKey(c, p.Cause, p.Kind) + ".what", words.Args{"app": app}
}

// errorKey gives the most exact key that has sentences.
func errorKey(c *words.Catalogue, cause, kind string) string {
	for _, name := range []string{cause, sameWords(cause), kind, sameWords(kind)} {
		if name != "" && c.Has("error."+name+".what") {
			return "error." + name
		}
	}
	return "error.general"
}

// NotFound is the page of an address that leads nowhere, or to something the
// reader may not know of.
type NotFound struct {
	Frame
	SupportCode string
}

// Template names the page.
func (NotFound) Template() string { return "not-found" }

// Outage says that a part is down and that nothing was lost.
type Outage struct {
	Frame
	SupportCode string
	// RetryURL tries again; empty leaves the button out.
	RetryURL string
}

// Template names the page.
func (Outage) Template() string { return "outage" }

// Help is the static help page. It needs no store.
type Help struct{ Frame }

// Template names the page.
func (Help) Template() string { return "help" }

// Message is a page of one message: heading and paragraphs by message keys
// "message.<Key>.title" and "message.<Key>.body".
type Message struct {
	Frame
	Key string
	// Args fill the placeholders of both.
	Args map[string]any
	// NextURL and NextKey are the one next step; empty leaves it out.
	NextURL, NextKey string
}

// Template names the page.
func (Message) Template() string { return "message" }

func (p Message) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "message." + p.Key + ".title", p.Args
}

// sameWords gives the cause or kind whose sentences serve another cause too.
func sameWords(cause string) string {
	switch cause {
	case "client-unknown", "client-document-refused", "client-document-unavailable", "client-document-many":
		return "invalid_client"
	case "redirect-uri":
		return "redirect-uri-unregistered"
	case "request-uri-used", "request-uri-unknown":
		return "request-uri-expired"
	case "request-not-found":
		return "gone"
	case "idp-denied", "idp-replayed", "idp-away", "idp-unasked", "upstream-answer", "upstream-state":
		return "signin-elsewhere"
	case "cross-site-request":
		return "form-token"
	case "choice-not-offered", "form-unreadable", "language-unknown", "method-not-allowed":
		return "general"
	case "invalid", "unprocessable", "too_large", "not_supported", "not_acceptable", "unsupported_media_type",
		"unsupported_grant_type", "unsupported_response_type", "invalid_request_object", "request_uri_not_supported":
		return "invalid_request"
	case "login_required", "interaction_required", "insufficient_user_authentication":
		return "unauthenticated"
	case "precondition_failed":
		return "conflict"
	}
	return ""
}

// ErrorNames gives the kinds and causes that have sentences of their own, and
// "general", in a fixed order.
func ErrorNames() []string {
	return []string{
		"general", "server_error", "invalid_request", "invalid_client", "invalid_scope", "access_denied",
		"forbidden", "unauthenticated", "gone", "conflict", "rate_limited", "upstream",
		"temporarily_unavailable",
		"redirect-uri-unregistered", "client-document-pending", "launch-invalid", "request-uri-expired", "launch-for-other-person",
		"no-own-record", "no-record-to-share", "offer-changed", "request-answered", "form-token", "grant-ended", "second-factor-missing",
		"signin-elsewhere", "idp-person-unknown", "idp-under-review", "idp-linked", "invalid_grant", "unauthorized_client", "as-oneself", "acting-unknown", "matter-running",
	}
}
