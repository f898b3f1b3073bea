package proxy

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/session"
)

// relations are the options of a choice of relationship.
func (h *Handler) relations(lang, chosen string) pages.ActField {
	f := pages.ActField{Name: "relation", Kind: "select"}
	for _, code := range proxy.Relations() {
		f.Options = append(f.Options, pages.Option{Value: code, Label: h.Kit.Words().Relation(lang, code), Selected: code == chosen})
	}
	return f
}

func (h *Handler) askInvite(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if h.Session.Ask(w, r, identity.ActShare) {
		return nil
	}
	kept := h.Session.Draft(w, r)
	page := pages.Invite{Frame: h.Frame(r, id, PeoplePath), Name: kept.Get("name"), Email: kept.Get("email"), Similar: kept.Has("again")}
	page.Who = h.relations(page.Lang, kept.Get("relation"))
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// fields are the fields that an error code is about.
func fields() map[string]pages.FieldError {
	return map[string]pages.FieldError{
		"proxy-name":          {Field: "name", Key: pages.ErrRequired},
		"proxy-email":         {Field: "email", Key: "field.email"},
		"proxy-relationship":  {Field: "relation", Key: pages.ErrChoose},
		"proxy-similar":       {Field: "again", Key: "field.similar"},
		"proxy-blocked":       {Field: "name", Key: "field.blocked"},
		"proxy-end-missing":   {Field: "until", Key: "field.end_missing"},
		"proxy-end-past":      {Field: "until", Key: "field.end_past"},
		"proxy-patient-died":  {Key: "field.patient_died"},
		"proxy-cannot-decide": {Key: "field.cannot_decide"},
		"proxy-end-late":      {Field: "until", Key: "field.end_late"},
		"proxy-teen-most":     {Field: "kind", Key: "field.teen_most"},
		"proxy-nothing":       {Field: "kind", Key: "field.share_nothing"},
		"invitation-refused":  {Key: "field.invitation"},
		"code-refused":        {Field: "onetime", Key: pages.ErrCode},
		"account-exists":      {Field: "username", Key: "field.username_taken"},
		"username-taken":      {Field: "username", Key: "field.username_taken"},
		"username-unfit":      {Field: "username", Key: pages.ErrRequired},
		"password-too-long":   {Field: "password", Key: "field.password"},
		"password-too-short":  {Field: "password", Key: "field.password"},
		"password-not-text":   {Field: "password", Key: "field.password"},
		"proxy-reason":        {Field: "reason", Key: pages.ErrChoose},
	}
}

// fieldOf gives what to say beside which field; ok is false for an error that is
// no matter of the form.
func fieldOf(err error) (pages.FieldError, bool) {
	if err == nil {
		return pages.FieldError{}, false
	}
	f, ok := fields()[errs.As(err).Code]
	return f, ok
}

func (h *Handler) invite(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	if h.late(w, r, invited()...) {
		return nil
	}
	in := named(r.PostForm)
	c, err := h.Life.Invite(r.Context(), h.Actor(r, id), in, r.PostFormValue("again") == "yes")
	if fault, ok := fieldOf(err); ok {
		page := pages.Invite{Frame: h.Frame(r, id, PeoplePath), Name: in.Name, Email: in.Email, Similar: fault.Field == "again"}
		page.Errors, page.Who = []pages.FieldError{fault}, h.relations(page.Lang, in.Relationship)
		h.Kit.Render(w, r, http.StatusBadRequest, page)
		return nil
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, h.Session.Path(PeoplePath+"/"+c.ID), http.StatusSeeOther)
	return nil
}

// acts lists what the patient can do now.
func patientActs(c proxy.Case, now time.Time) []string {
	byStaff := c.Basis == proxy.BasisRepresentative
	switch c.At(now) {
	case proxy.StateRequested:
		return []string{"welcome", "refuse", "block"}
	case proxy.StateInvited:
		return []string{"resend", "revoke", "block"}
	case proxy.StateAccount:
		return []string{"revoke", "block"}
	case proxy.StateProofed:
		return []string{"share", "revoke", "block"}
	case proxy.StateProposed:
		return []string{"share", "revoke", "block"}
	case proxy.StateVerified:
		if c.Ward.Band(now) == proxy.BandTeen {
			return []string{"share", "revoke", "block"}
		}
		return []string{"block"}
	case proxy.StateExpired, proxy.StateRevoked, proxy.StateEnded:
		return []string{"block"}
	case proxy.StateBlocked:
		return []string{"unblock"}
	case proxy.StateConfirmed:
		return []string{"undo", "revoke", "block"}
	case proxy.StateActive:
		if byStaff {
			return append(asWard(c, now), "worry", "revoke", "block")
		}
		return []string{"share", "renew", "pause", "worry", "revoke", "block"}
	case proxy.StateSuspended:
		if c.Why() == proxy.ByPatient || c.Why() == proxy.CustodianChanged && !byStaff {
			return []string{"resume", "revoke", "block"}
		}
		return []string{"revoke", "block"}
	}
	return nil
}

// asWard lists what somebody can do about an access that stands on a legal paper: a
// teenager chooses anew with the parent, others can say that they do not agree.
func asWard(c proxy.Case, now time.Time) []string {
	switch {
	case c.Ward.Band(now) == proxy.BandTeen:
		return []string{"share"}
	case c.Disputed.Zero():
		return []string{"dispute"}
	}
	return nil
}

func (h *Handler) person(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	c, err := h.Life.ForPatient(r.Context(), h.Actor(r, id), caseID(r))
	if err != nil {
		return err
	}
	now := h.Clock.Now()
	page := pages.ProxyPerson{
		Frame: h.Frame(r, id, PeoplePath), Reader: "patient", Line: h.Line(c, PeoplePath, ""),
		Functions: c.Granted().Functions, Kinds: c.Terms.Kinds, Steps: h.Steps(r.Context(), c),
	}
	if c.At(now) == proxy.StateActive || c.At(now) == proxy.StateSuspended {
		if page.Use, err = h.Use(r, id, useOf(c)); err != nil {
			return err
		}
	}
	if c.Open(now) {
		page.Email, page.InviteEnds, page.Code = c.Email, c.InviteEnds, h.Life.Code(c)
	}
	for _, act := range patientActs(c, now) {
		page.Acts = append(page.Acts, pages.CaseAct{Key: act, URL: page.Line.URL + "/" + act})
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

func useOf(c proxy.Case) pages.UseOf {
	out := pages.UseOf{PersonID: c.PersonID, Patient: c.Patient}
	for _, k := range consent.DataKinds() {
		if slices.Contains(c.Terms.Kinds, k.Name) {
			out.Kinds = append(out.Kinds, pages.NamedKind{Name: k.Name, Types: k.Types})
		}
	}
	return out
}

// givesMore reports whether an act lets somebody see more, or longer. What takes
// away never waits for a proof.
func givesMore(act string) bool {
	return act == "resend" || act == "renew" || act == "resume" || act == "unblock" || act == "welcome"
}

// deed is what an answer of yes does.
type deed func(ctx context.Context, a lifecycle.Actor, c proxy.Case, r *http.Request) (proxy.Case, error)

func (h *Handler) deeds() map[string]deed {
	return map[string]deed{
		"resend": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Resend(ctx, a, c.ID)
		},
		"welcome": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Welcome(ctx, a, c.ID)
		},
		"refuse": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Refuse(ctx, a, c.ID)
		},
		"undo": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Undo(ctx, a, c.ID)
		},
		"pause": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Pause(ctx, a, c.ID)
		},
		"resume": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Resume(ctx, a, c.ID)
		},
		"worry": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Worry(ctx, a, c.ID)
		},
		"renew": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, r *http.Request) (proxy.Case, error) {
			if r.PostFormValue("choice") == "stop" {
				return h.Life.Revoke(ctx, a, c.ID, false)
			}
			t := lifecycle.Same(c, h.Clock.Now())
			without := r.PostForm["without"]
			t.Kinds = slices.DeleteFunc(slices.Clone(t.Kinds), func(k string) bool { return slices.Contains(without, k) })
			return h.Life.Change(ctx, a, c.ID, proxy.ActRenew, t)
		},
		"dispute": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Dispute(ctx, a, c.ID)
		},
		"block": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Block(ctx, a, c.ID)
		},
		"unblock": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, _ *http.Request) (proxy.Case, error) {
			return h.Life.Unblock(ctx, a, c.ID)
		},
		"revoke": func(ctx context.Context, a lifecycle.Actor, c proxy.Case, r *http.Request) (proxy.Case, error) {
			return h.Life.Revoke(ctx, a, c.ID, r.PostFormValue("quiet") == "yes")
		},
	}
}

// asked loads the case of a question about an act that the patient can do now.
func (h *Handler) asked(r *http.Request, id session.Identity) (proxy.Case, string, error) {
	c, err := h.Life.ForPatient(r.Context(), h.Actor(r, id), caseID(r))
	act := mux.Vars(r)["act"]
	if err == nil && h.deeds()[act] == nil {
		err = errs.New(errs.NotFound, "page-not-found", "There is no such page.")
	}
	if err == nil && !slices.Contains(patientActs(c, h.Clock.Now()), act) {
		err = errs.New(errs.Conflict, "proxy-step", "This step does not fit where things stand. Somebody may have been faster.")
	}
	return c, act, err
}

func (h *Handler) askAct(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	c, act, err := h.asked(r, id)
	if err != nil {
		return err
	}
	if givesMore(act) && h.Session.Ask(w, r, identity.ActShare) {
		return nil
	}
	page, err := h.question(r, id, c, act, url.Values{"choice": {"same"}})
	if err == nil {
		h.Kit.Render(w, r, http.StatusOK, page)
	}
	return err
}

// question asks before something is done, with what was answered.
func (h *Handler) question(r *http.Request, id session.Identity, c proxy.Case, act string, answers url.Values) (pages.ProxyAct, error) {
	page := pages.ProxyAct{Frame: h.Frame(r, id, PeoplePath+"/"+c.ID), Act: act, Who: c.Name, Version: c.Revision()}
	switch {
	case act == "revoke" && c.PersonID != "":
		page.Fields = []pages.ActField{{Name: "quiet", Kind: "check", Value: answers.Get("quiet")}}
	case act == "renew":
		use, err := h.Use(r, id, useOf(c))
		if err != nil {
			return page, err
		}
		page.Fields = []pages.ActField{h.choice(page.Lang, answers.Get("choice"))}
		// The smaller set is offered, not chosen: who never looked may still want to.
		var offered []string
		if len(use.Unseen) < len(c.Terms.Kinds) || len(c.Terms.Functions) > 0 {
			offered = use.Unseen
		}
		// What was ticked counts, although the person has looked since.
		without := answers["without"]
		for _, k := range c.Terms.Kinds {
			if slices.Contains(offered, k) || slices.Contains(without, k) {
				page.Leave = append(page.Leave, pages.ShareChoice{Name: k, Checked: slices.Contains(without, k)})
			}
		}
	}
	return page, nil
}

// choice is what can be answered to the question of a renewal: the same, less, or
// stop (LC-07).
func (h *Handler) choice(lang, chosen string) pages.ActField {
	f := pages.ActField{Name: "choice", Kind: "select"}
	for _, name := range []string{"same", "less", "stop"} {
		f.Options = append(f.Options, pages.Option{Value: name, Label: h.Kit.Words().T(lang, "renew."+name, nil), Selected: name == chosen})
	}
	return f
}

func (h *Handler) act(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	c, act, err := h.asked(r, id)
	if err != nil {
		return err
	}
	to := PeoplePath + "/" + c.ID
	if act == "renew" && r.PostFormValue("choice") == "less" && len(r.PostForm["without"]) == 0 {
		to += "/share"
	} else if r.PostFormValue("answer") == "yes" {
		if givesMore(act) && r.PostFormValue("choice") != "stop" && h.late(w, r) {
			return nil
		}
		if err := desk.Current(r, c.Revision()); err != nil {
			return err
		}
		a := h.Actor(r, id)
		// To say that something is wrong agrees to nothing, and leaves no trace beside
		// the hold.
		if act != "worry" {
			page, err := h.question(r, id, c, act, r.PostForm)
			if err != nil {
				return err
			}
			a = h.agreed(r, id, page)
		}
		if _, err := h.deeds()[act](r.Context(), a, c, r); err != nil {
			return err
		}
	}
	http.Redirect(w, r, h.Session.Path(to), http.StatusSeeOther)
	return nil
}
