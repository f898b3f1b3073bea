package record

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/record/paper"
	"github.com/mandate-health/mandate/web/session"
)

// chart gives what a ticket would copy now, or why not.
func (h *Handler) chart(r *http.Request, id session.Identity, t ticket) (lifecycle.Chart, error) {
	if t.Case == "" {
		return h.Life.Own(r.Context(), h.actor(r, id), t.Kind)
	}
	return h.Life.ForHelper(r.Context(), h.actor(r, id), t.Case, t.Kind)
}

// askCopy asks whether to download or to print, of others also which kind.
func (h *Handler) askCopy(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if h.Session.Ask(w, r, identity.ActCopy) {
		return nil
	}
	t := ticket{Kind: mux.Vars(r)["kind"], Case: mux.Vars(r)["id"]}
	page := pages.RecordCopy{Frame: h.frame(r, id, Path+"/"+t.Kind), Kind: t.Kind}
	if t.Case != "" {
		page.BackURL, t.Kind = h.Session.Path("/helping/"+t.Case), kindNames()[0]
		page.Kinds = kindNames()
	}
	chart, err := h.chart(r, id, t)
	if err != nil {
		return err
	}
	page.Patient = h.patientName(r, chart.Patient)
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// copy makes a ticket and leads to it.
func (h *Handler) copy(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	if !h.Session.Meets(r, identity.ActCopy) {
		h.Session.Late(w, r, identity.ActCopy)
		return nil
	}
	t := ticket{Kind: mux.Vars(r)["kind"], Case: mux.Vars(r)["id"], Format: r.PostFormValue("answer")}
	if t.Case != "" {
		t.Kind = r.PostFormValue("kind")
	}
	if t.Format != formatPDF && t.Format != formatPrint {
		return errs.New(errs.Invalid, "copy-format", "Choose to download or to print.")
	}
	if _, err := h.chart(r, id, t); err != nil {
		return err
	}
	secret, err := h.seal(id, t)
	if err == nil {
		http.Redirect(w, r, h.Session.Path("/copies/"+secret), http.StatusSeeOther)
	}
	return err
}

func (h *Handler) patientName(r *http.Request, id string) string {
	d, err := h.Patients.Patient(r.Context(), id)
	if err != nil || d.Name == "" {
		return "…"
	}
	return d.Name
}

// fetch uses a ticket up: what may be copied is decided now, the event is written,
// and then the copy leaves.
func (h *Handler) fetch(w http.ResponseWriter, r *http.Request) {
	t, id, err := h.take(r, mux.Vars(r)["ticket"])
	var chart lifecycle.Chart
	if err == nil {
		chart, err = h.chart(r, id, t)
	}
	if errs.Is(err, errs.Forbidden) || errs.Is(err, errs.NotFound) {
		// What the ticket was for has ended since.
		err = errs.New(errs.Gone, "copy-ticket-ended", "This copy is not possible any more.")
	}
	var e audit.Event
	if err == nil {
		e = h.event(r, id, t, chart)
		err = h.Recorder.Record(r.Context(), e)
	}
	if err != nil {
		h.Page(w, r, err)
		return
	}
	page := h.copied(r, id, t, chart, e.ID)
	w.Header().Set("Cache-Control", "no-store")
	if t.Format == formatPrint {
		h.Kit.Render(w, r, http.StatusOK, page)
		return
	}
	body, err := h.pdf(page, e)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Content-Disposition", `attachment; filename="record-`+t.Kind+`.pdf"`)
	_, _ = w.Write(body) //nolint:gosec // a PDF, told as such and as an attachment
}

// event is what is told of a copy. Its id is the watermark (AU-13).
func (h *Handler) event(r *http.Request, id session.Identity, t ticket, c lifecycle.Chart) audit.Event {
	const mostTold = 1000
	e := h.origin(r, id)
	e.ID, e.Kind, e.Action, e.Outcome = h.IDs.ID(), audit.RecordCopied, "R", audit.Success
	e.Patient, e.Capacity, e.Consents, e.Count = c.Patient, c.Capacity, c.Consents, len(c.Entries)
	for _, x := range c.Entries[:min(len(c.Entries), mostTold)] {
		e.Delivered = append(e.Delivered, x.Ref.String())
	}
	e.Detail = map[string]string{"act": t.Format, "kind": t.Kind}
	return e
}

func (h *Handler) copied(r *http.Request, id session.Identity, t ticket, c lifecycle.Chart, mark string) pages.RecordCopied {
	back := Path + "/" + t.Kind
	if t.Case != "" {
		back = "/helping/" + t.Case
	}
	p := pages.RecordCopied{
		Frame: h.frame(r, id, back), Kind: t.Kind, Patient: h.patientName(r, c.Patient), For: id.Person.Name, Mark: Grouped(mark), Made: h.Clock.Now(),
	}
	for _, e := range c.Entries {
		p.Entries = append(p.Entries, pages.RecordEntry{Kind: pages.KindRef{Type: e.Ref.Type}, Title: e.Title, Detail: e.Detail, Date: e.Date})
	}
	return p
}

// Grouped writes the id of a copy so that people can read it out.
func Grouped(id string) string {
	var parts []string
	for ; len(id) > 4; id = id[4:] {
		parts = append(parts, id[:4])
	}
	return strings.Join(append(parts, id), "-")
}

func (h *Handler) pdf(p pages.RecordCopied, e audit.Event) ([]byte, error) {
	texts, lang := h.Kit.Words(), p.Lang
	if !paper.Drawable(texts.T(lang, "copy.none", nil)) {
		// The page prints every script, the file not.
		lang = words.Fallback
	}
	say := func(key string, args words.Args) string { return texts.T(lang, key, args) }
	date := words.Args{"date": h.Kit.Stamp(lang, p.Made), "who": p.For, "mark": p.Mark, "patient": p.Patient}
	c := paper.Copy{
		Title: say("share.kind."+p.Kind, nil), Lead: say("copy.lead", date), None: say("copy.none", nil),
		Across: say("copy.across", date), Foot: say("copy.foot", date), Mark: e.ID, Made: p.Made,
	}
	for _, x := range p.Entries {
		title := x.Title
		if title == "" {
			title = texts.Kind(lang, words.Kind{Type: x.Kind.Type})
		}
		c.Lines = append(c.Lines, paper.Line{Date: h.Kit.Date(lang, x.Date), Title: title, Detail: x.Detail})
	}
	body, partial, err := paper.PDF(c)
	if err == nil && partial {
		c.Lead += " " + say("copy.letters", nil)
		body, _, err = paper.PDF(c)
	}
	return body, err
}
