package proxy

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/session"
)

// choices lists what can be chosen, with what is.
func choices(all, chosen []string) []pages.ShareChoice {
	out := make([]pages.ShareChoice, len(all))
	for i, name := range all {
		out[i] = pages.ShareChoice{Name: name, Checked: slices.Contains(chosen, name)}
	}
	return out
}

func kindNames() []string {
	var out []string
	for _, k := range consent.DataKinds() {
		out = append(out, k.Name)
	}
	return out
}

// builder gives the page with the terms as they were chosen.
func (h *Handler) builder(r *http.Request, id session.Identity, c proxy.Case, t proxy.Terms) pages.Share {
	p := pages.Share{
		Frame: h.Frame(r, id, PeoplePath+"/"+c.ID), Who: c.Name, Version: c.Revision(), Running: c.At(h.Clock.Now()) == proxy.StateActive,
		Functions: choices(consent.Functions(), t.Functions), Kinds: choices(kindNames(), t.Kinds),
		Latest: h.Clock.Now().In(h.Zone).AddDate(0, proxy.LongestMonths, 0).Format(time.DateOnly),
	}
	if !t.Until.IsZero() {
		p.Until = t.Until.In(h.Zone).Format(time.DateOnly)
	}
	return p
}

// sharing loads a case whose terms the patient may choose now.
func (h *Handler) sharing(r *http.Request, id session.Identity) (proxy.Case, error) {
	c, err := h.Life.ForPatient(r.Context(), h.Actor(r, id), caseID(r))
	if err == nil && !slices.Contains(patientActs(c, h.Clock.Now()), "share") {
		err = errs.New(errs.Conflict, "proxy-step", "This step does not fit where things stand. Somebody may have been faster.")
	}
	return c, err
}

// askShare offers twelve months and nothing ticked beforehand.
func (h *Handler) askShare(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	c, err := h.sharing(r, id)
	if err != nil {
		return err
	}
	// Who only takes something away needs no proof; that shows at the end.
	if c.At(h.Clock.Now()) != proxy.StateActive && h.Session.Ask(w, r, identity.ActShare) {
		return nil
	}
	page := h.builder(r, id, c, c.Terms)
	if kept := h.Session.Draft(w, r); kept != nil {
		t, fault := h.terms(kept)
		page = h.builder(r, id, c, t)
		page.Until, page.Urgent = kept.Get("until"), kept.Get("urgent") == "yes"
		if fault == nil && kept.Get("version") == strconv.Itoa(c.Revision()) {
			return h.look(w, r, id, c, t, page)
		}
	}
	if page.Until == "" {
		page.Until = page.Latest
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// terms reads what was chosen; an end is the last instant of its day.
func (h *Handler) terms(typed url.Values) (proxy.Terms, *pages.FieldError) {
	t := proxy.Terms{Functions: typed["fn"], Kinds: typed["kind"]}
	text := typed.Get("until")
	if text == "" {
		return t, &pages.FieldError{Field: "until", Key: "field.end_missing"}
	}
	day, err := time.ParseInLocation(time.DateOnly, text, h.Zone)
	if err != nil {
		return t, &pages.FieldError{Field: "until", Key: pages.ErrDate}
	}
	t.Until = day.AddDate(0, 0, 1).Add(-time.Second).UTC()
	if len(t.Kinds) == 0 && len(t.Functions) == 0 {
		return t, &pages.FieldError{Field: "kind", Key: "field.share_nothing"}
	}
	return t, nil
}

// share shows what the person would see, and then agrees.
func (h *Handler) share(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	c, err := h.sharing(r, id)
	if err == nil {
		err = desk.Current(r, c.Revision())
	}
	if err != nil {
		return err
	}
	t, fault := h.terms(r.PostForm)
	running := c.At(h.Clock.Now()) == proxy.StateActive
	if running && r.PostFormValue("until") == c.Terms.Until.In(h.Zone).Format(time.DateOnly) {
		// The day that was there means the end that was there.
		t.Until = c.Terms.Until
	}
	page := h.builder(r, id, c, t)
	page.Until, page.Urgent = r.PostFormValue("until"), r.PostFormValue("urgent") == "yes"
	again := func(f pages.FieldError) error {
		page.Errors = []pages.FieldError{f}
		h.Kit.Render(w, r, http.StatusBadRequest, page)
		return nil
	}
	switch answer := r.PostFormValue("answer"); {
	case fault != nil:
		return again(*fault)
	case answer == "back":
		h.Kit.Render(w, r, http.StatusOK, page)
		return nil
	case answer == "yes" && !(running && t.Within(c.Terms)) && h.late(w, r, chosen()...):
		return nil
	case answer == "yes":
		err = h.agree(r, id, c, t, page)
	default:
		return h.look(w, r, id, c, t, page)
	}
	if f, ok := fieldOf(err); ok {
		return again(f)
	}
	if err == nil {
		http.Redirect(w, r, h.Session.Path(PeoplePath+"/"+c.ID), http.StatusSeeOther)
	}
	return err
}

func (h *Handler) agree(r *http.Request, id session.Identity, c proxy.Case, t proxy.Terms, page pages.Share) error {
	var err error
	a := h.agreed(r, id, pages.ShareSeen{Frame: page.Frame, Share: page, Until: t.Until})
	if c.Basis == proxy.BasisRepresentative {
		_, err = h.Life.Propose(r.Context(), a, c.ID, t)
	} else if page.Running {
		_, err = h.Life.Change(r.Context(), a, c.ID, proxy.ActChange, t)
	} else {
		_, err = h.Life.Confirm(r.Context(), a, c.ID, t, page.Urgent)
	}
	return err
}

// look shows "what would she see?".
func (h *Handler) look(w http.ResponseWriter, r *http.Request, id session.Identity, c proxy.Case, t proxy.Terms, page pages.Share) error {
	counts, err := h.Seen(r.Context(), h.Actor(r, id), c.ID, t)
	if err != nil {
		return err
	}
	seen := pages.ShareSeen{Frame: page.Frame, Share: page, Until: t.Until}
	for _, typ := range slices.Sorted(maps.Keys(counts)) {
		if counts[typ] > 0 {
			seen.Seen = append(seen.Seen, pages.SeenKind{Kind: pages.KindRef{Type: typ}, Count: counts[typ]})
		}
	}
	h.Kit.Render(w, r, http.StatusOK, seen)
	return nil
}
