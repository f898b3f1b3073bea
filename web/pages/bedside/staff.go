package bedside

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// StaffPath is where the pages of staff begin.
const StaffPath = "/staff/bedside"

const owner = "web/pages/bedside"

// Deps is what the handlers work with.
type Deps struct {
	Life     *lifecycle.Service
	Accounts *identity.Service
	// Link gives the address that leads a device to the code.
	Link func(code string) string
	desk.Desk
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, a identity.Action, next http.Handler) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.Identifiers, Limit: "page", Owner: owner,
			Handler: h.Session.Protect(h.Session.Load(h.Session.Oneself(h.Clinical(h.Session.For(a)(next))))),
		}
	}
	return append([]route.Route{
		on(http.MethodGet, StaffPath, identity.ActWitness, h.Signed(h.ask)),
		on(http.MethodPost, StaffPath, identity.ActWitness, h.Posted(h.open)),
		on(http.MethodGet, StaffPath+"/{id}", identity.ActConsole, h.Signed(h.one)),
		on(http.MethodPost, StaffPath+"/{id}", identity.ActConsole, h.Posted(h.act)),
	}, h.deviceRoutes()...)
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks(p identity.Person) []pages.StaffTask {
	if !lifecycle.Clinical(p) {
		return nil
	}
	return []pages.StaffTask{{Key: "staff.task.bedside", URL: h.Session.Path(StaffPath)}}
}

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	h.start(w, r, id, http.StatusOK)
	return nil
}

func (h *Handler) start(w http.ResponseWriter, r *http.Request, id session.Identity, status int, e ...pages.FieldError) {
	page := pages.BedsideStart{Frame: h.Frame(r, id, "/staff"), Patient: named(r)}
	page.Errors = e
	for _, way := range identity.BedsideWays() {
		page.Ways = append(page.Ways, pages.Option{
			Value: way, Label: h.Kit.Words().T(page.Lang, "bedside-way."+way, nil), Selected: r.PostFormValue("how") == way,
		})
	}
	h.Kit.Render(w, r, status, page)
}

// named gives the patient as typed, or whom the link to the page is about.
func named(r *http.Request) string {
	if id := r.URL.Query().Get("patient"); r.Method == http.MethodGet && fhir.ValidID(id) {
		return id
	}
	return r.PostFormValue("patient")
}

// open begins for a patient whom the FHIR server knows.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	patient := r.PostFormValue("patient")
	err := errs.New(errs.NotFound, "patient-unknown", "There is no such patient.")
	if fhir.ValidID(patient) {
		found, known := h.Names.Patient(r.Context(), patient)
		switch {
		case errs.Is(known, errs.NotFound) || errs.Is(known, errs.Gone):
		case known != nil:
			return known
		default:
			t, refused := h.Life.OpenBedside(r.Context(), h.Actor(r, id), patient, found.Name, r.PostFormValue("how"), h.Session.Meta(r, ""))
			if refused == nil {
				h.goTo(w, r, StaffPath+"/"+t.ID)
				return nil
			}
			err = errs.As(refused)
		}
	}
	if f, ok := startFaults()[err.Code]; ok {
		h.start(w, r, id, http.StatusBadRequest, f)
		return nil
	}
	return err
}

func startFaults() map[string]pages.FieldError {
	return map[string]pages.FieldError{
		"patient-unknown":  {Field: "patient", Key: "field.patient"},
		"bedside-how":      {Field: "how", Key: pages.ErrChoose},
		"bedside-recovery": {Key: "field.bedside_recovery"},
		"bedside-closed":   {Key: "field.bedside_closed"},
		"bedside-helper":   {Key: "field.bedside_helper"},
		"bedside-running":  {Key: "field.bedside_running"},
		"bedside-many":     {Key: "field.bedside_many"},
	}
}

func (h *Handler) goTo(w http.ResponseWriter, r *http.Request, path string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, h.Session.Path(path), http.StatusSeeOther)
}

func (h *Handler) one(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	return h.show(w, r, id, http.StatusOK)
}

// show draws an enrolment for its witness.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, id session.Identity, status int, e ...pages.FieldError) error {
	t, place, err := h.Life.BedsideOf(r.Context(), h.Actor(r, id), mux.Vars(r)["id"])
	if errs.Is(err, errs.NotFound) || err == nil && step(t, place) == "" {
		h.over(w, r, id)
		return nil
	}
	if err != nil {
		return err
	}
	b := t.Bedside
	page := pages.BedsideCase{
		Frame: h.Frame(r, id, StaffPath), Action: h.Session.Path(StaffPath + "/" + t.ID), Name: b.Name, Step: step(t, place),
		Ends: t.Ends, Second: b.Needs > 1, Witnesses: b.Names(), Factor: string(b.Factor.Kind),
	}
	page.Errors = e
	if page.Step == "code" {
		page.Code = h.Accounts.BedsideCode(t)
		page.Link = h.Link(page.Code)
		if page.QR, err = h.Accounts.BedsideQR(page.Link); err != nil {
			return err
		}
	}
	h.Kit.Render(w, r, status, page)
	return nil
}

// step says what a witness does now, "" where it is over.
func step(t identity.Ticket, place int) string {
	switch t.State {
	case identity.TicketOpen:
		return "code"
	case identity.TicketTaken:
		return "taken"
	case identity.TicketMade:
		return "number"
	case identity.TicketSeen:
		if place == 1 {
			return "number"
		}
		return "second"
	case identity.TicketApproved:
		return "done"
	}
	if t.State == identity.TicketSpent && !t.Bedside.Codes.IsZero() {
		return "done"
	}
	return ""
}

func (h *Handler) over(w http.ResponseWriter, r *http.Request, id session.Identity) {
	h.Kit.Render(w, r, http.StatusNotFound, pages.Message{
		Frame: h.Frame(r, id, "/staff"), Key: "bedside_staff_over", NextURL: h.Session.Path(StaffPath), NextKey: "bedside-case.again",
	})
}

// act takes the number, or ends the enrolment.
func (h *Handler) act(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	at := mux.Vars(r)["id"]
	if r.PostFormValue("do") == "cancel" {
		err := h.Life.CancelBedside(r.Context(), h.Actor(r, id), at, h.Session.Meta(r, ""))
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		h.goTo(w, r, StaffPath)
		return nil
	}
	err := h.Life.ConfirmBedside(r.Context(), h.Actor(r, id), at, words.PlainDigits(r.PostFormValue("number")), h.Session.Meta(r, ""))
	switch {
	case err == nil:
		h.goTo(w, r, StaffPath+"/"+at)
		return nil
	case errs.As(err).Code == "bedside-number":
		return h.show(w, r, id, http.StatusBadRequest, pages.FieldError{Field: "number", Key: pages.ErrNumber})
	case errs.As(err).Code == "bedside-over", errs.As(err).Code == "factor-exists":
		h.over(w, r, id)
		return nil
	}
	return err
}
