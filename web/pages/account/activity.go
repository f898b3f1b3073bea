package account

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/web/pages"
)

// told are the events about an account that its person is shown.
var told = []audit.Kind{
	audit.LoginSucceeded, audit.LoginFailed, audit.StepUpSucceeded, audit.StepUpFailed, audit.LoggedOut,
	audit.FactorAdded, audit.FactorChanged, audit.FactorRemoved, audit.PersonSaved,
}

// activity tells what happened to the account, from the audit log.
func (v visit) activity() {
	f := audit.Filter{Tenant: v.id.Person.Tenant, PersonID: v.id.Person.ID, Kinds: told, Limit: pageSize + 1}
	if t, err := time.Parse(time.RFC3339Nano, v.r.URL.Query().Get("before")); err == nil {
		f.Before = t
	}
	events, err := v.Audits(v.r.Context(), f)
	if err != nil {
		v.Page(v.w, v.r, err)
		return
	}
	page := pages.AccountActivity{Frame: v.frame(pages.AccountPath), Signals: v.Signals()}
	if len(events) > pageSize {
		events = events[:pageSize]
		page.OlderURL = v.Session.Path(activityPath) + "?" + url.Values{"before": {events[pageSize-1].Time.Format(time.RFC3339Nano)}}.Encode()
	}
	for _, e := range events {
		page.Entries = append(page.Entries, pages.AccountEvent{At: e.Time, What: what(e), Refused: e.Outcome != audit.Success, Reasons: reasons(e, page.Signals)})
	}
	v.draw(http.StatusOK, page)
}

// what gives the words for an event.
func what(e audit.Event) string {
	switch e.Kind {
	case audit.LoginSucceeded:
		if e.Reason == "second-factor-needed" {
			return "login_first"
		}
		return "login"
	case audit.LoginFailed:
		if e.Outcome == audit.SeriousFailure {
			return "login_stopped"
		}
		return "login_failed"
	case audit.StepUpSucceeded:
		return "proof"
	case audit.StepUpFailed:
		return "proof_failed"
	case audit.LoggedOut:
		switch e.Reason {
		case "session-copied":
			return "left_copied"
		case "ended-by-operator":
			return "left_by_us"
		}
		return "left"
	case audit.FactorAdded:
		return "factor_added"
	case audit.FactorChanged:
		return "factor_changed"
	case audit.FactorRemoved:
		return "factor_removed"
	}
	return "account"
}

// reasons gives what was noticed about a log-in, of what there are words for.
func reasons(e audit.Event, known []pages.Signal) (out []string) {
	_, list, _ := strings.Cut(e.Detail["risk"], ": ")
	for _, name := range strings.Fields(list) {
		for _, s := range known {
			if s.Name == name {
				out = append(out, name)
			}
		}
	}
	return out
}
