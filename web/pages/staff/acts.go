package staff

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
)

// deed is what an answer of yes does.
type deed func(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error

func (h *Handler) deeds() map[string]deed {
	plain := func(f func(context.Context, lifecycle.Actor, string) (proxy.Case, error)) deed {
		return func(ctx context.Context, a lifecycle.Actor, id string, _ *http.Request) error {
			_, err := f(ctx, a, id)
			return err
		}
	}
	out := h.turnDeeds()
	maps.Copy(out, map[string]deed{
		"proof": func(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
			_, err := h.Life.Proof(ctx, a, id, []string{r.PostFormValue("document1"), r.PostFormValue("document2")})
			return err
		},
		"reject": func(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
			_, err := h.Life.Reject(ctx, a, id, r.PostFormValue("reason"))
			return err
		},
		"attest": h.attest,
		"determine": func(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
			review, err := h.day(r, "review")
			if err == nil {
				_, err = h.Life.Determine(ctx, a, id, review, r.PostFormValue("unavailable") == "yes")
			}
			return err
		},
		"activate": func(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
			_, err := h.Life.Activate(ctx, a, id, r.PostFormValue("unavailable") == "yes")
			return err
		},
		"verify": h.verify, "restore": plain(h.Life.Restore),
		"hold": func(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
			_, err := h.Life.Hold(ctx, a, id, r.PostFormValue("ground"))
			return err
		},
		"dictated": h.dictated,
		"admit":    plain(h.Life.Admit), "release": plain(h.Life.Release), "part": plain(h.Life.Part),
		"died": plain(h.Life.Died), "revive": plain(h.Life.Revived), "void": plain(h.Life.Void),
		"compromised": func(ctx context.Context, a lifecycle.Actor, id string, _ *http.Request) error {
			return h.Life.Compromised(ctx, a, id)
		},
	})
	return out
}

// dictated ends an access in the name of the patient, who said so.
func (h *Handler) dictated(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
	d := lifecycle.Dictation{Channel: r.PostFormValue("channel")}
	if d.Channel == lifecycle.ByPhone {
		c, err := h.Life.ForStaff(ctx, a, id)
		if err != nil {
			return err
		}
		if d.Verification, err = h.Calling(ctx, a, c.Patient, r.PostFormValue("username"), r.PostFormValue("code")); err != nil {
			return err
		}
	}
	_, err := h.Life.RevokeFor(ctx, a, id, d, r.PostFormValue("quiet") == "yes")
	return err
}

func (h *Handler) attest(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
	reviews, err := h.day(r, "review")
	if err != nil {
		return err
	}
	ends, err := h.day(r, "court")
	if err != nil {
		return err
	}
	place := 0
	if typed := r.PostFormValue("place"); typed != "" {
		if place, err = strconv.Atoi(typed); err != nil {
			return errs.New(errs.Invalid, "proxy-place", "Choose a place from the list.")
		}
	}
	_, err = h.Life.Attest(ctx, a, id, proxy.Authority{
		Place: place, Joint: r.PostFormValue("joint") == "yes",
		Kind: r.PostFormValue("instrument"), Trigger: proxy.Trigger(r.PostFormValue("trigger")), Reviews: reviews, Ends: ends,
		Powers: r.PostForm["powers"], Suspends: r.PostFormValue("suspends") == "yes",
	})
	return err
}

func (h *Handler) verify(ctx context.Context, a lifecycle.Actor, id string, r *http.Request) error {
	review, err := h.day(r, "review")
	if err == nil {
		_, err = h.Life.Verify(ctx, a, id, r.PostForm["seen"], review)
	}
	return err
}

// checklist is what the second person ticks, and when it is looked at again.
func (h *Handler) checklist(r *http.Request, c proxy.Case) []pages.ActField {
	items := pages.ActField{Name: "seen", Kind: "ticks"}
	for _, i := range proxy.ChecklistOf(c.Authority.Kind).Items {
		label := h.Kit.Words().T(h.Kit.Lang(r), "check."+i.ID, nil)
		if !i.Required {
			label = h.Kit.Words().T(h.Kit.Lang(r), "check.optional", words.Args{"item": label})
		}
		items.Options = append(items.Options, pages.Option{Value: i.ID, Label: label, Selected: slices.Contains(r.PostForm["seen"], i.ID)})
	}
	review := r.PostFormValue("review")
	if review == "" {
		review = c.NextReview(h.Clock.Now()).In(h.Zone).Format(time.DateOnly)
	}
	return []pages.ActField{items, {Name: "review", Kind: "date", Value: review}}
}

// day reads a date as the last instant of its day; none is the zero time.
func (h *Handler) day(r *http.Request, field string) (time.Time, error) {
	text := r.PostFormValue(field)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, text, h.Zone)
	if err != nil {
		return time.Time{}, errs.New(errs.Invalid, "proxy-date-"+field, "Write the date like 2027-05-20.")
	}
	return t.AddDate(0, 0, 1).Add(-time.Second).UTC(), nil
}

// faults are the fields that an error code is about.
func faults() map[string]pages.FieldError {
	return map[string]pages.FieldError{
		"matter-ground":         {Field: "ground", Key: pages.ErrChoose},
		"proxy-channel":         {Field: "channel", Key: pages.ErrChoose},
		"caller-unverified":     {Field: "code", Key: "field.caller"},
		"proxy-documents":       {Field: "document1", Key: "field.documents"},
		"proxy-reason":          {Field: "reason", Key: pages.ErrChoose},
		"proxy-authority":       {Field: "instrument", Key: pages.ErrChoose},
		"proxy-adopt-unknown":   {Field: "related", Key: "field.adopt_unknown"},
		"proxy-adopt-twice":     {Field: "related", Key: "field.adopt_twice"},
		"proxy-adopt-several":   {Field: "related", Key: "field.adopt_several"},
		"proxy-adopt-shut":      {Field: "related", Key: "field.adopt_shut"},
		"proxy-adopt-unproofed": {Field: "related", Key: "field.adopt_unproofed"},
		"proxy-checklist":       {Field: "seen", Key: "field.checklist"},
		"proxy-authority-over":  {Field: "court", Key: "field.end_past"},
		"proxy-review":          {Field: "review", Key: "field.review"},
		"proxy-date-review":     {Field: "review", Key: pages.ErrDate},
		"proxy-date-court":      {Field: "court", Key: pages.ErrDate},
		"proxy-same-reviewer":   {Key: "field.same_reviewer"},
		"proxy-not-minor":       {Field: "instrument", Key: "field.not_minor"},
		"proxy-two-sign":        {Key: "field.two_sign"},
		"proxy-power-records":   {Key: "field.power_records"},
		"proxy-end-past":        {Field: "review", Key: "field.end_past"},
		"proxy-end-late":        {Field: "review", Key: "field.end_late"},
		"proxy-patient-lives":   {Key: "field.patient_lives"},
		"proxy-patient-died":    {Key: "field.patient_died"},
		"proxy-place":           {Field: "place", Key: "field.place"},
		"proxy-joint":           {Field: "joint", Key: "field.joint"},
		"proxy-primary-active":  {Key: "field.primary_active"},

		"proxy-primary-unavailable": {Field: "unavailable", Key: "field.primary_unavailable"},

		"proxy-name":         {Field: "name", Key: pages.ErrRequired},
		"proxy-email":        {Field: "email", Key: "field.email"},
		"proxy-relationship": {Field: "relation", Key: pages.ErrChoose},
		"patient-unknown":    {Field: "patient", Key: "field.patient"},
	}
}

// fields are what an act asks for, with what was typed.
func (h *Handler) fields(r *http.Request, act string, c proxy.Case) []pages.ActField {
	choice := func(name, prefix string, values ...string) pages.ActField {
		f := pages.ActField{Name: name, Kind: "select"}
		for _, v := range values {
			label := h.Kit.Words().T(h.Kit.Lang(r), prefix+v, nil)
			if prefix == "" {
				label = h.Kit.Words().Relation(h.Kit.Lang(r), v)
			}
			f.Options = append(f.Options, pages.Option{Value: v, Label: label, Selected: r.PostFormValue(name) == v})
		}
		return f
	}
	date := func(name string) pages.ActField {
		return pages.ActField{Name: name, Kind: "date", Value: r.PostFormValue(name)}
	}
	switch act {
	case "proof":
		return []pages.ActField{choice("document1", "document.", proxy.Documents()...), choice("document2", "document.", proxy.Documents()...)}
	case "reject":
		return []pages.ActField{choice("reason", "reject.", lifecycle.RejectReasons()...)}
	case "attest":
		return []pages.ActField{
			choice("instrument", "", proxy.AuthorityKinds()...),
			choice("trigger", "trigger.", string(proxy.TriggerImmediate), string(proxy.TriggerCapacity)),
			h.powers(r), choice("place", "place.", places()...), ticked(r, "joint"), date("review"), date("court"), ticked(r, "suspends"),
		}
	case "verify":
		return h.checklist(r, c)
	case "hold":
		return h.grounds(r, c)
	case "vouch":
		return []pages.ActField{choice("reason", "vouch.", proxy.VouchReasons()...)}
	case "dictated":
		return []pages.ActField{
			choice("channel", "channel.", lifecycle.Channels()...), {Name: "username", Kind: "text", Value: r.PostFormValue("username")},
			{Name: "code", Kind: "text"}, ticked(r, "quiet"),
		}
	case "free":
		return []pages.ActField{choice("reason", "free.", lifecycle.FreeReasons()...)}
	case "activate":
		return instead(r, c)
	case "determine":
		return append([]pages.ActField{date("review")}, instead(r, c)...)
	case "review":
		return []pages.ActField{date("review")}
	}
	return nil
}

// places are those in the order of agents.
func places() []string {
	var out []string
	for i := range proxy.LastAlternate + 1 {
		out = append(out, strconv.Itoa(i))
	}
	return out
}

// ticked is one box, as it was left.
func ticked(r *http.Request, name string) pages.ActField {
	f := pages.ActField{Name: name, Kind: "check"}
	if r.PostFormValue(name) == "yes" {
		f.Value = "yes"
	}
	return f
}

// instead asks of an alternate whether whoever is named before cannot act (FX-29).
func instead(r *http.Request, c proxy.Case) []pages.ActField {
	if !c.Alternate() || !c.Unavailable.Zero() {
		return nil
	}
	return []pages.ActField{ticked(r, "unavailable")}
}

// grounds are what a denial to somebody who stands in the patient's shoes rests on;
// others need none.
func (h *Handler) grounds(r *http.Request, c proxy.Case) []pages.ActField {
	if c.Basis != proxy.BasisRepresentative {
		return nil
	}
	f := pages.ActField{Name: "ground", Kind: "select"}
	for _, g := range h.Life.Law.GroundsAt(h.Clock.Now()) {
		f.Options = append(f.Options, pages.Option{
			Value: g.ID, Label: h.Kit.Ground(h.Kit.Lang(r), g), Selected: r.PostFormValue("ground") == g.ID,
		})
	}
	return []pages.ActField{f}
}
