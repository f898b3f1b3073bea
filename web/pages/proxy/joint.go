package proxy

import (
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
)

// jointActs lists what somebody who must act together can do now (FX-30).
func jointActs(j lifecycle.Joined) []string {
	var out []string
	if len(j.Others) > 0 && len(open(j)) > 0 {
		out = append(out, "together")
	}
	if len(j.Others) > 0 && len(answerable(j)) > 0 {
		out = append(out, "agree", "decline")
	}
	return out
}

// open lists the functions that nobody asks for yet.
func open(j lifecycle.Joined) []string {
	return slices.DeleteFunc(lifecycle.Jointly(), func(f string) bool {
		return slices.ContainsFunc(j.Asked, func(m lifecycle.Asked) bool { return m.Function == f })
	})
}

// answerable lists what waits for the yes of the reader.
func answerable(j lifecycle.Joined) []lifecycle.Asked {
	return slices.DeleteFunc(slices.Clone(j.Asked), func(m lifecycle.Asked) bool { return m.Ready || m.Mine })
}

// together tells who must agree and what waits; nil where somebody acts alone.
func (h *Handler) together(c proxy.Case, j lifecycle.Joined) *pages.ActingTogether {
	if !c.Joint(h.Clock.Now()) {
		return nil
	}
	out := &pages.ActingTogether{}
	for _, o := range j.Others {
		out.Others = append(out.Others, o.Name)
	}
	for _, m := range j.Asked {
		out.Asked = append(out.Asked, pages.JointAsk{Function: m.Function, Who: m.Who, Agreed: m.Ready, Mine: m.Mine, Due: m.Due})
	}
	return out
}

// jointFields are what those acts ask for.
func (h *Handler) jointFields(r *http.Request, j lifecycle.Joined, act string) []pages.ActField {
	lang := h.Kit.Lang(r)
	say := func(function string) string { return h.Kit.Words().T(lang, "share.fn."+function, nil) }
	switch act {
	case "together":
		f := pages.ActField{Name: "function", Kind: "select"}
		for _, fn := range open(j) {
			f.Options = append(f.Options, pages.Option{Value: fn, Label: say(fn), Selected: r.PostFormValue("function") == fn})
		}
		return []pages.ActField{f}
	case "agree", "decline":
		f := pages.ActField{Name: "asked", Kind: "select"}
		for _, m := range answerable(j) {
			label := h.Kit.Words().T(lang, "joint.asked_by", words.Args{"what": say(m.Function), "who": m.Who})
			f.Options = append(f.Options, pages.Option{Value: m.ID, Label: label, Selected: r.PostFormValue("asked") == m.ID})
		}
		return []pages.ActField{f}
	}
	return nil
}

// jointFaults are the fields that an error code is about.
func jointFaults() map[string]pages.FieldError {
	return map[string]pages.FieldError{
		"proxy-function":   {Field: "function", Key: pages.ErrChoose},
		"matter-not-found": {Field: "asked", Key: pages.ErrChoose},
	}
}
