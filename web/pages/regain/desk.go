package regain

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// DeskPath is where the pages of staff begin.
const DeskPath = "/staff/recovery"

// Desk is what the pages of staff need of identity.Service and the store.
type Desk interface {
	OpenRecoveries(ctx context.Context, tenant string) ([]identity.Recovery, error)
	RecoveryCase(ctx context.Context, tenant, id string) (identity.Recovery, identity.Person, error)
	CheckRecovery(ctx context.Context, tenant, id string, w identity.RecoveryWord, m identity.Meta) error
	ReviewRecovery(ctx context.Context, tenant, id string, w identity.RecoveryWord, m identity.Meta) error
}

type serve func(visit, session.Identity) error

func (h *Handler) deskRoutes() []route.Route {
	on := func(method, path string, f serve) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.Identifiers, Limit: "page", Owner: owner,
			Handler: h.Session.Protect(h.Session.Load(h.only(h.Session.For(identity.ActConsole)(h.atDesk(f))))),
		}
	}
	return []route.Route{
		on(http.MethodGet, DeskPath, visit.queue),
		on(http.MethodGet, DeskPath+"/{id}", visit.one),
		on(http.MethodGet, DeskPath+"/{id}/{act}", visit.ask),
		on(http.MethodPost, DeskPath+"/{id}/{act}", visit.act),
	}
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks(p identity.Person) []pages.StaffTask {
	if !p.Role.Staff() {
		return nil
	}
	return []pages.StaffTask{{Key: "staff.task.recovery", URL: h.Session.Path(DeskPath)}}
}

// only turns others away before they are asked for a second factor.
func (h *Handler) only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, in := session.From(r); in && !id.Person.Role.Staff() {
			h.Page(w, r, errs.New(errs.Forbidden, "staff-only", "This is for staff."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *Handler) atDesk(f serve) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := session.From(r) // For ran before
		if err := f(visit{h, w, r}, id); err != nil {
			h.Page(w, r, err)
		}
	})
}

func (v visit) deskFrame(id session.Identity, back string, e ...pages.FieldError) pages.Frame {
	f := v.frame(e...)
	f.SignedInAs, f.Staff, f.BackURL, f.Now = id.Person.Name, true, v.Session.Path(back), v.Clock.Now()
	f.SessionEnds, f.StayURL = id.Session.IdleEnds, v.Session.Path(pages.StayPath)
	return f
}

func (v visit) queue(id session.Identity) error {
	open, err := v.Desk.OpenRecoveries(v.r.Context(), v.tenant())
	if err != nil {
		return err
	}
	page := pages.RecoveryQueue{Frame: v.deskFrame(id, "/staff")}
	for _, r := range open {
		_, p, err := v.Desk.RecoveryCase(v.r.Context(), v.tenant(), r.ID)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		page.Lines = append(page.Lines, v.line(r, p))
	}
	v.Kit.Render(v.w, v.r, http.StatusOK, page)
	return nil
}

func (v visit) line(r identity.Recovery, p identity.Person) pages.RecoveryLine {
	l := pages.RecoveryLine{Name: p.Name, Username: p.Username, Role: string(p.Role), HighRisk: p.HighRisk, Created: r.Created, URL: v.Session.Path(DeskPath + "/" + r.ID)}
	switch {
	case r.State == identity.RecoveryProving:
		l.Waits = "proof"
	case len(r.Reviews) < r.Needs:
		l.Waits = "review"
	default:
		l.Waits = "person"
	}
	return l
}

func (v visit) one(id session.Identity) error {
	r, p, err := v.Desk.RecoveryCase(v.r.Context(), v.tenant(), mux.Vars(v.r)["id"])
	if err != nil {
		return err
	}
	page := pages.RecoveryCase{Frame: v.deskFrame(id, DeskPath), Line: v.line(r, p), Strange: r.Strange, Helped: r.Helped, Ready: r.Ready}
	for _, proof := range r.Proofs {
		page.Proofs = append(page.Proofs, pages.RecoveryProof{Kind: string(proof.Kind), At: proof.At, How: proof.How, Documents: proof.Documents})
	}
	for _, review := range r.Reviews {
		page.Reviews = append(page.Reviews, pages.RecoveryProof{Kind: review.Reason, At: review.At})
	}
	for _, act := range acts(r) {
		page.Acts = append(page.Acts, pages.CaseAct{Key: act, URL: page.Line.URL + "/" + act})
	}
	v.Kit.Render(v.w, v.r, http.StatusOK, page)
	return nil
}

// acts are what staff can do now.
func acts(r identity.Recovery) []string {
	var out []string
	if !r.Has(identity.ProofStaff) {
		out = append(out, "check")
	}
	if r.State == identity.RecoveryWaiting && len(r.Reviews) < r.Needs {
		out = append(out, "approve")
	}
	return append(out, "refuse")
}

func (v visit) ask(id session.Identity) error {
	r, p, err := v.Desk.RecoveryCase(v.r.Context(), v.tenant(), mux.Vars(v.r)["id"])
	if err == nil {
		err = v.question(id, r, p, http.StatusOK)
	}
	return err
}

func (v visit) question(id session.Identity, r identity.Recovery, p identity.Person, status int, e ...pages.FieldError) error {
	act := mux.Vars(v.r)["act"]
	page := pages.RecoveryAct{Frame: v.deskFrame(id, DeskPath+"/"+r.ID, e...), Act: act, Who: p.Name, Version: r.Version}
	switch act {
	case "check":
		page.Fields = []pages.ActField{v.choice("how", "recovery-way.", identity.CheckWays()), v.choice("document1", "document.", v.Documents)}
	case "approve":
		page.Fields = []pages.ActField{v.choice("reason", "recovery-reason.", identity.ApprovalReasons())}
	case "refuse":
		page.Fields = []pages.ActField{v.choice("reason", "recovery-reason.", identity.RefusalReasons())}
	default:
		return errs.New(errs.NotFound, "page-not-found", "There is no such page.")
	}
	v.Kit.Render(v.w, v.r, status, page)
	return nil
}

func (v visit) choice(name, prefix string, values []string) pages.ActField {
	f := pages.ActField{Name: name, Kind: "select"}
	for _, value := range values {
		f.Options = append(f.Options, pages.Option{
			Value: value, Label: v.Kit.Words().T(v.Kit.Lang(v.r), prefix+value, nil), Selected: v.field(name) == value,
		})
	}
	return f
}

func (v visit) act(id session.Identity) error {
	if err := v.Session.Check(v.r, session.PurposePage); err != nil {
		return err
	}
	r, p, err := v.Desk.RecoveryCase(v.r.Context(), v.tenant(), mux.Vars(v.r)["id"])
	if err != nil {
		return err
	}
	if v.field("answer") == "yes" {
		if err := v.say(id, r.ID); err != nil {
			fault, ok := deskFaults()[errs.As(err).Code]
			if !ok {
				return err
			}
			return v.question(id, r, p, http.StatusBadRequest, fault)
		}
	}
	v.goTo(DeskPath)
	return nil
}

// say does what was asked.
func (v visit) say(id session.Identity, recovery string) error {
	version, err := strconv.Atoi(v.field("version"))
	if err != nil {
		version = -1
	}
	w := identity.RecoveryWord{By: id.Person, Version: version, Reason: v.field("reason"), How: v.field("how"), Documents: []string{v.field("document1")}}
	switch mux.Vars(v.r)["act"] {
	case "check":
		return v.Desk.CheckRecovery(v.r.Context(), v.tenant(), recovery, w, v.meta())
	case "approve":
		w.Approve = true
		return v.Desk.ReviewRecovery(v.r.Context(), v.tenant(), recovery, w, v.meta())
	case "refuse":
		return v.Desk.ReviewRecovery(v.r.Context(), v.tenant(), recovery, w, v.meta())
	}
	return errs.New(errs.NotFound, "page-not-found", "There is no such page.")
}

func deskFaults() map[string]pages.FieldError {
	return map[string]pages.FieldError{
		"recovery-check":    {Field: "how", Key: pages.ErrRecoveryCheck},
		"recovery-reason":   {Field: "reason", Key: pages.ErrChoose},
		"recovery-reviewer": {Key: "field.same_reviewer"},
	}
}
