package proxy

import (
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// helping lists whom the reader helps. A patient's name is told only when the
// reader was proofed.
func (h *Handler) helping(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	cases, err := h.Life.Helped(r.Context(), h.Actor(r, id))
	if err != nil {
		return err
	}
	page := pages.Helping{Frame: h.Frame(r, id, "/home"), AskURL: h.Session.Path(HelpingPath + "/request")}
	for _, c := range cases {
		page.People = append(page.People, h.helpedLine(r, c))
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// Helps gives the address of the people whom the reader helps, "" for none.
func (h *Handler) Helps(r *http.Request, id session.Identity) (string, error) {
	cases, err := h.Life.Helped(r.Context(), h.Actor(r, id))
	if err != nil || len(cases) == 0 {
		return "", err
	}
	return h.Session.Path(HelpingPath), nil
}

func (h *Handler) helpedLine(r *http.Request, c proxy.Case) pages.CaseLine {
	whose := h.Kit.Words().T(h.Kit.Lang(r), "helping.somebody", nil)
	if c.Proofed() {
		whose = h.Patient(r.Context(), c.Patient)
	}
	l := h.Line(c, HelpingPath, whose)
	// Why it ended or rests is nobody's business but the patient's.
	if state := proxy.State(l.State); state == proxy.StateRevoked || state == proxy.StateBlocked {
		l.State = string(proxy.StateEnded)
	}
	return l
}

// proxyActs lists what the proxy can do now: nobody extends the own access.
func proxyActs(c proxy.Case, state proxy.State) []string {
	if lifecycle.Reviewable(c, state) {
		return append([]string{"recheck"}, simpleActs(c, state)...)
	}
	return simpleActs(c, state)
}

func simpleActs(c proxy.Case, state proxy.State) []string {
	switch state {
	case proxy.StateProposed:
		return []string{"cosign", "resign"}
	case proxy.StateBereaved:
		return []string{"resign"}
	case proxy.StateAccount, proxy.StateProofed, proxy.StateVerified, proxy.StateConfirmed, proxy.StateSuspended:
		return []string{"resign"}
	case proxy.StateActive:
		if c.Asked.Zero() && c.Basis == proxy.BasisDesignated {
			return []string{"ask", "resign"}
		}
		if c.Basis == proxy.BasisRepresentative && c.Ward.Adult.IsZero() && c.Disputed.Zero() {
			return []string{"dispute", "resign"}
		}
		return []string{"resign"}
	}
	return nil
}

func (h *Handler) helped(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	c, err := h.Life.ForProxy(r.Context(), h.Actor(r, id), caseID(r))
	if err != nil {
		return err
	}
	state := c.At(h.Clock.Now())
	page := pages.ProxyPerson{Frame: h.Frame(r, id, HelpingPath), Reader: "proxy", Line: h.helpedLine(r, c)}
	if state == proxy.StateActive || state == proxy.StateConfirmed || state == proxy.StateProposed || state == proxy.StateBereaved {
		page.Functions, page.Kinds = c.Granted().Functions, c.Terms.Kinds
	} else {
		page.Line.Until = proxy.Terms{}.Until
	}
	if state == proxy.StateActive && slices.Contains(c.Terms.Functions, "download") {
		page.Acts = append(page.Acts, pages.CaseAct{Key: "copy", URL: h.Session.Path("/copies/of/" + c.ID)})
	}
	if proxy.Fileable(state) {
		page.Acts = append(page.Acts, pages.CaseAct{Key: "papers", URL: page.Line.URL + "/papers"})
	}
	joined, err := h.Life.Joined(r.Context(), h.Actor(r, id), c.ID)
	if err != nil {
		return err
	}
	page.Together = h.together(c, joined)
	for _, act := range append(jointActs(joined), proxyActs(c, state)...) {
		page.Acts = append(page.Acts, pages.CaseAct{Key: act, URL: page.Line.URL + "/" + act})
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// helpAsked loads the case of a question that fits now, with those who act together.
func (h *Handler) helpAsked(r *http.Request, id session.Identity) (proxy.Case, lifecycle.Joined, string, error) {
	act := mux.Vars(r)["act"]
	c, err := h.Life.ForProxy(r.Context(), h.Actor(r, id), caseID(r))
	if err != nil {
		return c, lifecycle.Joined{}, act, err
	}
	joined, err := h.Life.Joined(r.Context(), h.Actor(r, id), c.ID)
	known := append(jointActs(joined), proxyActs(c, c.At(h.Clock.Now()))...)
	if err == nil && !slices.Contains(known, act) {
		err = errs.New(errs.NotFound, "page-not-found", "There is no such page.")
	}
	return c, joined, act, err
}

func (h *Handler) askHelp(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	c, joined, act, err := h.helpAsked(r, id)
	if err == nil {
		h.helpQuestion(w, r, id, c, joined, act, http.StatusOK)
	}
	return err
}

func (h *Handler) helpQuestion(
	w http.ResponseWriter, r *http.Request, id session.Identity, c proxy.Case, joined lifecycle.Joined, act string, status int, faults ...pages.FieldError,
) {
	page := h.helpPage(r, id, c, joined, act)
	page.Errors = faults
	h.Kit.Render(w, r, status, page)
}

// helpPage asks before something is done; who signs sees what.
func (h *Handler) helpPage(r *http.Request, id session.Identity, c proxy.Case, joined lifecycle.Joined, act string) pages.ProxyAct {
	page := pages.ProxyAct{
		Frame: h.Frame(r, id, HelpingPath+"/"+c.ID), Act: act, Who: c.Name, Patient: h.helpedLine(r, c).Patient, Version: c.Revision(),
		Fields: h.jointFields(r, joined, act),
	}
	if act == "cosign" {
		page.Functions, page.Kinds, page.Until = c.Granted().Functions, c.Terms.Kinds, c.Terms.Until
	}
	return page
}

func (h *Handler) help(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	c, joined, act, err := h.helpAsked(r, id)
	if err != nil {
		return err
	}
	if r.PostFormValue("answer") == "yes" {
		switch act {
		case "together":
			err = h.Life.AskTogether(r.Context(), h.Actor(r, id), c.ID, r.PostFormValue("function"))
		case "agree":
			err = h.Life.AgreeTogether(r.Context(), h.Actor(r, id), c.ID, r.PostFormValue("asked"))
		case "decline":
			err = h.Life.Disagree(r.Context(), h.Actor(r, id), c.ID, r.PostFormValue("asked"))
		case "ask":
			_, err = h.Life.Ask(r.Context(), h.Actor(r, id), c.ID)
		case "cosign":
			_, err = h.Life.Cosign(r.Context(), h.agreed(r, id, h.helpPage(r, id, c, joined, act)), c.ID)
		case "dispute":
			_, err = h.Life.Dispute(r.Context(), h.Actor(r, id), c.ID)
		case "recheck":
			err = h.Life.AskReview(r.Context(), h.Actor(r, id), c.ID)
		default:
			_, err = h.Life.Resign(r.Context(), h.Actor(r, id), c.ID)
		}
		if err != nil {
			f, ok := jointFaults()[errs.As(err).Code]
			if !ok {
				return err
			}
			h.helpQuestion(w, r, id, c, joined, act, http.StatusBadRequest, f)
			return nil
		}
	}
	http.Redirect(w, r, h.Session.Path(HelpingPath+"/"+c.ID), http.StatusSeeOther)
	return nil
}
