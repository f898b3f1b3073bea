package operator

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// shownRequests is how many requests an app's page lists.
const shownRequests = 20

// clients lists what is registered, what waits first (REG-08).
func (h *Handler) clients(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	tenant := id.Person.Tenant
	waiting, err := h.Registry.Waiting(r.Context(), tenant)
	if err != nil {
		return err
	}
	all, err := h.Registry.List(r.Context(), tenant)
	if err != nil {
		return err
	}
	page := pages.OperatorClients{Frame: h.Frame(r, id, "/staff")}
	for _, c := range waiting {
		page.Waiting = append(page.Waiting, h.row(c))
	}
	for _, c := range all {
		if !c.Registration.Pending {
			page.Apps = append(page.Apps, h.row(c))
		}
	}
	slices.SortStableFunc(page.Apps, func(a, b pages.RegisteredApp) int { return cmp.Compare(a.Name, b.Name) })
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// at gives the path of a client's page. A client_id may hold any character.
func at(c oauth.Client) string { return Path + "/" + url.PathEscape(c.ID) }

// row says how a client stands.
func (h *Handler) row(c oauth.Client) pages.RegisteredApp {
	a := pages.RegisteredApp{
		Name: cmp.Or(c.Name, c.ID), Maker: c.Publisher, ID: c.ID, Kind: string(c.Kind), State: registration.StatusOf(c),
		Idle: c.Registration.Idle, Verified: c.Verified, URL: h.Session.Path(at(c)),
	}
	if !c.Registration.Pending {
		return a
	}
	clocks := h.Holidays.ClocksOf(c, h.Clock.Now())
	next := clocks.Authenticity
	if !next.Done.IsZero() {
		next = clocks.Production
	}
	a.Due, a.DaysLeft, a.Late = next.LastDay(), next.DaysLeft, next.Late
	return a
}

// acts gives the decisions that are open about a client.
func acts(c oauth.Client) []string {
	switch {
	case c.Registration.Pending && c.Registration.Authentic.IsZero():
		return []string{"verify", "approve", "refuse"}
	case c.Registration.Pending:
		return []string{"approve", "refuse"}
	case c.Disabled:
		return []string{"enable"}
	}
	return []string{"disable"}
}

// client shows one registration with its last requests.
func (h *Handler) client(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	c, err := h.Registry.One(r.Context(), id.Person.Tenant, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	records, err := h.Flights.Recent(r.Context(), c.Tenant, c.ID, shownRequests)
	if err != nil {
		return err
	}
	page := pages.OperatorClient{
		Frame: h.Frame(r, id, Path), App: h.row(c), Credentials: registration.Of(c).AuthMethod,
		Addresses: c.RedirectURIs, Scopes: strings.Fields(c.Scopes),
	}
	for _, act := range acts(c) {
		page.Acts = append(page.Acts, pages.OperatorAct{Key: act, URL: h.Session.Path(at(c) + "/" + act)})
	}
	for _, one := range flight.Show(records, h.Docs) {
		page.Requests = append(page.Requests, request(one))
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

func request(s flight.Shown) pages.AppRequest {
	out := pages.AppRequest{At: s.At, Act: s.Act, Outcome: s.Outcome, Cause: s.Cause, Hint: s.Hint, DocsURL: s.Docs}
	for _, e := range s.Explained {
		out.Scopes = append(out.Scopes, pages.AppRequestScope{Scope: e.Scope, Cause: e.Cause, Hint: s.Hints[e.Cause]})
	}
	return out
}

// open gives the client of the path and the decision asked for. A decision that
// is not open, as somebody else may have made it, is errs.Conflict.
func (h *Handler) open(r *http.Request, id session.Identity) (c oauth.Client, act string, err error) {
	c, err = h.Registry.One(r.Context(), id.Person.Tenant, mux.Vars(r)["id"])
	if err != nil {
		return c, "", err
	}
	act = mux.Vars(r)["act"]
	if !slices.Contains(acts(c), act) {
		return c, "", errs.New(errs.Conflict, "decision-not-open", "This cannot be decided any more about this app: look at how it stands now.")
	}
	return c, act, nil
}

// ask asks before a decision.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	c, act, err := h.open(r, id)
	if err == nil {
		h.Kit.Render(w, r, http.StatusOK, pages.OperatorDecide{Frame: h.Frame(r, id, at(c)), App: h.row(c), Act: act})
	}
	return err
}

// decide carries a decision out, with its audit event, and shows the app again.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	next := at(oauth.Client{ID: mux.Vars(r)["id"]})
	if r.PostFormValue("answer") == "yes" {
		c, act, err := h.open(r, id)
		if err != nil {
			return err
		}
		if err := h.carryOut(r, c, act, h.origin(r, id)); err != nil {
			return err
		}
		if act == "refuse" {
			next = Path
		}
	}
	http.Redirect(w, r, h.Session.Path(next), http.StatusSeeOther)
	return nil
}

func (h *Handler) carryOut(r *http.Request, c oauth.Client, act string, origin audit.Event) (err error) {
	ctx := r.Context()
	switch act {
	case "verify":
		_, err = h.Registry.VerifyMaker(ctx, c.Tenant, c.ID, origin)
	case "approve":
		_, err = h.Registry.Approve(ctx, c.Tenant, c.ID, origin)
	case "refuse":
		err = h.Registry.Refuse(ctx, c.Tenant, c.ID, origin)
	case "disable":
		_, err = h.Registry.Disable(ctx, c.Tenant, c.ID, registration.ReasonDisabled, origin)
	case "enable":
		_, err = h.Registry.Enable(ctx, c.Tenant, c.ID, origin)
	}
	return err
}
