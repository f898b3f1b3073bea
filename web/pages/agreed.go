package pages

import (
	"time"

	"github.com/mandate-health/mandate/evidence"
)

// Agreed is a page on which people agree to something or take it back.
type Agreed interface {
	Page
	// said gives what stands on the page and what was answered, in its order.
	said(v voice) []evidence.Line
}

// voice gives the words of a page as its template does.
type voice struct {
	text func(key string, pairs ...any) string
	date func(time.Time) string
}

// line is a sentence that asks nothing.
func (v voice) line(id, key string, pairs ...any) evidence.Line {
	return evidence.Line{ID: id, Text: v.text(key, pairs...)}
}

// ticks is a list of boxes, each of them ticked or not.
func (v voice) ticks(id, title string, list []ShareChoice, prefix string) evidence.Line {
	out := evidence.Line{ID: id, Text: title}
	for _, c := range list {
		out.Lines = append(out.Lines, evidence.Line{ID: id + "." + c.Name, Text: v.text(prefix + c.Name), Answer: evidence.Ticked(c.Checked)})
	}
	return out
}

// Shown gives what a page said in its language and what was answered, for the record
// of it (RS-06).
func (k *Kit) Shown(p Agreed) evidence.Shown {
	lang, c := p.Head().Lang, k.deps.Words
	v := voice{
		text: func(key string, pairs ...any) string {
			// A page that could be shown has all of its words.
			text, _ := translate(c, lang, key, pairs)
			return text
		},
		date: func(t time.Time) string { return c.Date(lang, k.local(t)) },
	}
	page := p.Template()
	if q, ok := p.(ProxyAct); ok {
		page += "-" + q.Act
	}
	return evidence.Shown{Page: page, Language: lang, Words: c.Version(lang), Lines: p.said(v)}
}

// said are the choices of the page before, with the sentences of this one. How many
// entries the preview counted is not agreed to, and is left out.
func (p ShareSeen) said(v voice) []evidence.Line {
	s := p.Share
	out := []evidence.Line{
		v.line("title", "share.title", "who", s.Who), v.line("lead", "share.lead", "who", s.Who),
		v.ticks("kind", v.text("share.kinds", "who", s.Who), s.Kinds, "share.kind."), v.line("sensitive", "share.sensitive"),
		v.ticks("fn", v.text("share.functions", "who", s.Who), s.Functions, "share.fn."),
		v.line("fn-hint", "share.functions_hint", "who", s.Who),
	}
	until := v.line("until", "share.until")
	until.Answer = evidence.Day(s.Until)
	out = append(out, until)
	begins := "share-seen.wait"
	if s.Urgent || s.Running {
		begins = "share-seen.now"
	}
	if !s.Running {
		urgent := v.line("urgent", "share.urgent")
		urgent.Answer = evidence.Ticked(s.Urgent)
		out = append(out, urgent, v.line("wait", "share.wait"))
	}
	return append(out,
		v.line("seen", "share-seen.lead", "who", s.Who, "date", v.date(p.Until)), v.line("not", "share-seen.not", "who", s.Who),
		v.line("begins", begins), evidence.Line{ID: "yes", Text: v.text("share-seen.yes"), Answer: evidence.Ticked(true)},
	)
}

// said are the question and its fields as they were answered.
func (p ProxyAct) said(v voice) []evidence.Line {
	key := "proxy-act." + p.Act
	out := []evidence.Line{
		v.line("title", key+".title", "who", p.Who, "patient", p.Patient), v.line("lead", key+".lead", "who", p.Who, "patient", p.Patient),
	}
	for _, f := range p.Fields {
		out = append(out, f.said(v))
	}
	if len(p.Kinds) > 0 {
		out = append(out, v.ticks("kind", v.text("case.kinds"), ticked(p.Kinds), "share.kind."))
	}
	if len(p.Functions) > 0 {
		out = append(out, v.ticks("fn", v.text("case.functions"), ticked(p.Functions), "share.fn."))
	}
	if !p.Until.IsZero() {
		out = append(out, evidence.Line{ID: "until", Text: v.text("case.until"), Answer: evidence.Typed(v.date(p.Until))})
	}
	if p.Leave != nil {
		out = append(out, v.ticks("without", v.text("proxy-act.leave_out"), p.Leave, "share.kind."))
	}
	return append(out, evidence.Line{ID: "yes", Text: v.text(key + ".yes"), Answer: evidence.Ticked(true)})
}

// said is the question with what was answered to it.
func (f ActField) said(v voice) evidence.Line {
	out := v.line(f.Name, "proxy-act.field."+f.Name)
	switch f.Kind {
	case "check":
		out.Answer = evidence.Ticked(f.Value != "")
	case "select":
		for _, o := range f.Options {
			if o.Selected {
				out.Answer = evidence.Chosen(o.Value, o.Label)
			}
		}
	default:
		out.Answer = evidence.Typed(f.Value)
	}
	return out
}

// said are whom it shuts out, and what that does.
func (p Block) said(v voice) []evidence.Line {
	name, email := v.line("name", "invite.name"), v.line("email", "invite.email")
	name.Answer, email.Answer = evidence.Typed(p.Name), evidence.Typed(p.Email)
	return []evidence.Line{
		v.line("title", "block.title"), v.line("lead", "block.lead"), name, p.Who.said(v), email, v.line("email-hint", "block.email_hint"),
		{ID: "yes", Text: v.text("block.button"), Answer: evidence.Ticked(true)},
	}
}

// ticked are choices that somebody else made before.
func ticked(names []string) []ShareChoice {
	out := make([]ShareChoice, len(names))
	for i, name := range names {
		out[i] = ShareChoice{Name: name, Checked: true}
	}
	return out
}
