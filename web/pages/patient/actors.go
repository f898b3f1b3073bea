package patient

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// actors names who acts through the app of a grant.
func (h *Handler) actors(ctx context.Context, names *names, g oauth.Grant) ([]pages.ActorEntry, error) {
	all, err := h.Connections.ActorsOf(ctx, g)
	var out []pages.ActorEntry
	for _, d := range all {
		out = append(out, pages.ActorEntry{ID: d.ClientID, App: pages.AppInfoOf(names.client(ctx, d.ClientID)), Since: d.Since, Last: d.Last})
	}
	return out, err
}

// endActor ends that a program acts through an app; the app itself stays.
func (h *Handler) endActor(w http.ResponseWriter, r *http.Request, id session.Identity) {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		h.Page(w, r, err)
		return
	}
	grant := mux.Vars(r)["id"]
	if err := h.Connections.EndActor(r.Context(), id.Person, grant, r.PostFormValue("actor"), h.origin(r, id)); err != nil {
		h.Page(w, r, err)
		return
	}
	http.Redirect(w, r, h.Session.Path("/apps/"+grant), http.StatusSeeOther)
}
