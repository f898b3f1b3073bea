package consent

import (
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/web/pages"
)

// askConsent shows what the app could see and do.
func (h *Handler) askConsent(w http.ResponseWriter, r *http.Request) {
	p, who, ok := h.at(w, r, flow.StepConsent)
	if !ok {
		return
	}
	o, err := h.Flow.Offer(r.Context(), p, who)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	f := untouched(o)
	if draft := h.Session.Draft(w, r); draft != nil {
		// What was ticked before the proof that a topic asked for.
		r.PostForm = draft
		f, _ = readForm(r, o)
	}
	h.Kit.Render(w, r, http.StatusOK, h.page(r, p, who, o, f))
}

// untouched is the page as first shown: ordinary kinds ticked, sensitive ones
// never, actions only where the maker needs them.
func untouched(o flow.Offer) form {
	f := form{kinds: map[string]kindForm{}, keep: true, keepFor: pages.KeepQuarter}
	for _, k := range o.Kinds {
		f.kinds[k.Type] = kindForm{on: true}
	}
	for _, a := range o.Actions {
		if a.Required != "" {
			f.actions = append(f.actions, a.Type)
		}
	}
	return f
}

// page fills the view model from the offer and what was typed so far.
func (h *Handler) page(r *http.Request, p oauth.Pending, who flow.Visitor, o flow.Offer, f form) pages.Consent {
	c := pages.Consent{
		Frame: h.frame(r, p, who), Handle: o.Handle, App: pages.AppInfoOf(o.Client),
		Patient: o.Patient.Name, Gender: o.Patient.Gender, Person: who.Person.Name,
		Self: p.Capacity.Kind == fhir.CapacitySelf, Relation: p.Capacity.Relationship,
		Clinician: p.Capacity.Kind == fhir.CapacityPractitioner && p.Request.Launch != "",
		Identity:  o.Identity, MoreHidden: o.MoreHidden, Until: o.Answer.ValidUntil,
		VisitMinutes: int(oauth.TokenLife(p.Capacity).Minutes()), PatientTold: p.Capacity.IsProxy(), DeviceCode: p.Request.Device.Code, Actors: o.Actors,
		Technical: pages.Technical{ClientID: o.Client.ID, RedirectURI: p.Request.RedirectURI, Scopes: o.Answer.Texts},
	}
	for _, k := range o.Kinds {
		row := kindRow(k, f)
		if k.Type == scope.AnyType {
			row.Label = h.Kit.Words().T(c.Lang, "consent.rest", nil)
		}
		c.Kinds = append(c.Kinds, row)
	}
	for _, t := range o.Topics {
		c.Kinds = append(c.Kinds, pages.ConsentKind{
			Field: topicField(string(t.Topic)), Topic: string(t.Topic), Count: t.Count,
			Sensitive: true, Checked: slices.Contains(f.topics, string(t.Topic)),
		})
	}
	for _, a := range o.Actions {
		c.Actions = append(c.Actions, pages.ConsentAction{
			Field: actionField(a.Type), Type: a.Type, Verb: verb(a.Ops),
			Checked: slices.Contains(f.actions, a.Type), Required: a.Required != "", Reason: a.Required,
		})
	}
	switch {
	case o.KeepOffered:
		c.Keep = &pages.KeepChoice{Checked: f.keep, For: f.keepFor, Offered: []pages.KeepFor{pages.KeepQuarter, pages.KeepYear, pages.KeepWeek}}
	case o.KeepAsked && p.Capacity.IsProxy():
		c.NoKeep = "consent.nokeep.view_only"
	case o.KeepAsked:
		c.NoKeep = "consent.nokeep.app"
	}
	if p.Capacity.IsProxy() {
		c.ActingFor = &pages.Acting{Name: o.Patient.Name, Relation: p.Capacity.Relationship, Gender: o.Patient.Gender}
	}
	return c
}

func kindRow(k flow.Kind, f form) pages.ConsentKind {
	have := f.kinds[k.Type]
	row := pages.ConsentKind{
		Field: kindField(k.Type), Type: k.Type, Query: k.Query, Count: k.Count,
		Checked: have.on, Only: have.only, Required: k.Required != "", Reason: k.Required,
	}
	for _, c := range k.Categories {
		row.Categories = append(row.Categories, pages.ConsentCategory{
			Field: categoryField(k.Type, c.Coding.Code), Type: k.Type, Category: c.Coding.Code,
			Count: c.Count, Checked: slices.Contains(have.categories, c.Value()),
		})
	}
	return row
}

// verb gives the word for a set of write operations.
func verb(ops scope.Ops) string {
	switch ops {
	case scope.Create:
		return "create"
	case scope.Update:
		return "update"
	case scope.Delete:
		return "delete"
	default:
		return "write"
	}
}

// takeConsent grants what is ticked, or tells the app that access was denied.
func (h *Handler) takeConsent(w http.ResponseWriter, r *http.Request) {
	p, who, ok := h.at(w, r, flow.StepConsent)
	if !ok || !h.checked(w, r) {
		return
	}
	switch r.PostFormValue(pages.FieldAnswer) {
	case "deny":
		h.deny(w, r, p, who)
		return
	case "allow":
	default:
		seeOther(w, r, h.Path(p)+"/consent")
		return
	}
	o, err := h.Flow.Posted(r.Context(), p, r.PostFormValue(pages.FieldHandle))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.allow(w, r, p, who, o)
}

// again shows the page once more with what was chosen, counted anew.
func (h *Handler) again(w http.ResponseWriter, r *http.Request, p oauth.Pending, who flow.Visitor, status int, faults []pages.FieldError) {
	o, err := h.Flow.Offer(r.Context(), p, who)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	f, _ := readForm(r, o)
	page := h.page(r, p, who, o, f)
	page.Errors = faults
	h.Kit.Render(w, r, status, page)
}

func (h *Handler) allow(w http.ResponseWriter, r *http.Request, p oauth.Pending, who flow.Visitor, o flow.Offer) {
	f, faults := readForm(r, o)
	if len(faults) > 0 {
		h.again(w, r, p, who, http.StatusUnprocessableEntity, faults)
		return
	}
	if len(f.topics) > 0 && !h.Session.Meets(r, identity.ActRestricted) {
		h.Session.Late(w, r, identity.ActRestricted, f.fields()...)
		return
	}
	if left := f.leftOut(o); len(left) > 0 && r.PostFormValue("confirmed") != "on" {
		h.Kit.Render(w, r, http.StatusOK, pages.ConsentReduced{
			Frame: h.frame(r, p, who), App: pages.AppInfoOf(o.Client), Left: left, Posted: posted(r),
		})
		return
	}
	to, err := h.Flow.Allow(r.Context(), p, who, f.ticks(r.PostFormValue(pages.FieldHandle)))
	if errs.Is(err, errs.Conflict) && errs.As(err).Code == "offer-changed" {
		h.again(w, r, p, who, http.StatusConflict, []pages.FieldError{{Key: pages.ErrExpiredForm}})
		return
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	seeOther(w, r, to)
}

// posted repeats the answer in hidden fields for the page that asks once more.
func posted(r *http.Request) []pages.Hidden {
	var out []pages.Hidden
	for name, values := range r.PostForm {
		if name == pages.FieldCSRF || name == pages.FieldAnswer {
			continue
		}
		for _, v := range values {
			out = append(out, pages.Hidden{Name: name, Value: v})
		}
	}
	slices.SortFunc(out, func(a, b pages.Hidden) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
	return out
}
