package staff

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the pages begin.
const Path = "/staff/people"

// Deps is what the handlers work with.
type Deps struct {
	Life *lifecycle.Service
	desk.Desk
	// Zone is where days begin and end; nil means UTC.
	Zone *time.Location
	// Calling verifies, by what was typed, that a patient is on the telephone, and gives
	// the id of the event that says so. Errors: errs.Unauthenticated with code
	// caller-unverified, whatever does not fit; errs.RateLimited; errs.Unavailable.
	Calling func(ctx context.Context, a lifecycle.Actor, patient, username, code string) (event string, err error)
}

// Handler serves the pages.
type Handler struct{ Deps }

// registered names what staff type of a person whom they put on a list.
func registered() []string { return []string{"patient", "name", "email", "relation"} }

// New makes the handler.
func New(d Deps) *Handler {
	if d.Zone == nil {
		d.Zone = time.UTC
	}
	return &Handler{Deps: d}
}

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, f desk.Serve, typed ...string) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.Identifiers, Limit: "page", Owner: "web/pages/staff",
			Handler: h.Session.Protect(h.Session.Load(h.Session.Long(h.Session.Oneself(h.Clinical(h.Session.For(identity.ActConsole)(h.Signed(f)))), typed...))),
		}
	}
	return []route.Route{
		on(http.MethodGet, Path, h.queue),
		on(http.MethodGet, Path+"/register", h.askRegister),
		on(http.MethodPost, Path+"/register", h.register, registered()...),
		on(http.MethodGet, Path+"/adopt", h.askAdopt),
		on(http.MethodPost, Path+"/adopt", h.adopt, "patient", "related"),
		on(http.MethodGet, Path+"/{id}", h.person),
		on(http.MethodGet, Path+"/{id}/{act}", h.ask),
		on(http.MethodPost, Path+"/{id}/{act}", h.act),
	}
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks(p identity.Person) []pages.StaffTask {
	if !lifecycle.Clinical(p) {
		return nil
	}
	return []pages.StaffTask{{Key: "staff.task.people", URL: h.Session.Path(Path)}}
}

// line says where a case stands, with the patient's name.
func (h *Handler) line(ctx context.Context, c proxy.Case) pages.CaseLine {
	return h.Line(c, Path, h.Patient(ctx, c.Patient))
}

// groups of the queue, in the order in which they are shown.
func groups() []string {
	return []string{"hold", "request", "proof", "verify", "patient", "teen", "activate", "mourning"}
}

// group says what a case waits for.
func group(c proxy.Case) string {
	switch {
	case c.State == proxy.StateSuspended:
		return "hold"
	case c.State == proxy.StateBereaved:
		return "mourning"
	case c.State == proxy.StateRequested:
		return "request"
	case c.State == proxy.StateAccount:
		return "proof"
	case c.State == proxy.StateProofed && !c.Authority.Attested.Zero():
		return "verify"
	case c.State == proxy.StateProofed:
		return "patient"
	}
	return "activate"
}

func (h *Handler) queue(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	cases, err := h.Life.Queue(r.Context(), h.Actor(r, id))
	if err != nil {
		return err
	}
	page := pages.ProxyQueue{Frame: h.Frame(r, id, "/staff"), RegisterURL: h.Session.Path(Path + "/register"), AdoptURL: h.Session.Path(Path + "/adopt")}
	lines := map[string][]pages.CaseLine{}
	for _, c := range cases {
		key := group(c)
		alone, err := h.Life.Invitable(r.Context(), c)
		if err != nil {
			return err
		}
		if alone && c.State == proxy.StateVerified {
			// Nothing begins before the teenager can sign.
			key = "teen"
		}
		lines[key] = append(lines[key], h.line(r.Context(), c))
	}
	for _, key := range groups() {
		page.Groups = append(page.Groups, pages.QueueGroup{Key: key, Lines: lines[key]})
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// acts lists what staff can do now.
func acts(c proxy.Case, now time.Time) []string {
	springing := c.Authority.Trigger == proxy.TriggerCapacity
	switch c.At(now) {
	case proxy.StateRequested:
		if c.Asking {
			return nil
		}
		return []string{"admit", "reject"}
	case proxy.StateAccount:
		return []string{"proof", "vouch", "reject", "compromised"}
	case proxy.StateProofed:
		if c.Authority.Attested.Zero() {
			return []string{"attest", "reject", "part", "compromised"}
		}
		return []string{"verify", "attest", "reject", "part", "compromised"}
	case proxy.StateVerified:
		switch {
		case c.Ward.Band(now) == proxy.BandTeen:
			return []string{"free", "attest", "part", "compromised"}
		case springing:
			return []string{"determine", "attest", "part", "compromised"}
		}
		return []string{"activate", "attest", "part", "compromised"}
	case proxy.StateActive:
		return slices.Concat(turns(c), dictatable(c), []string{"hold", "part", "died", "compromised", "void"})
	case proxy.StateProposed:
		return []string{"free", "part", "compromised"}
	case proxy.StateBereaved:
		return []string{"revive", "part", "void"}
	case proxy.StateSuspended:
		return resting(c)
	case proxy.StateConfirmed:
		return append(dictatable(c), "part", "void")
	case proxy.StateExpired, proxy.StateRevoked:
		if c.Revivable(now) {
			return []string{"revive", "void"}
		}
		return []string{"void"}
	}
	return nil
}

// resting lists what can be done while an access rests; what the patient paused
// only the patient opens.
func resting(c proxy.Case) []string {
	switch c.Why() {
	case proxy.MergedAway:
		return nil
	case proxy.SafetyHold, proxy.GuardianAppointed, proxy.PatientMerged:
		return append(dictatable(c), "release", "part", "compromised", "void")
	case proxy.PatientDied:
		return []string{"revive", "part", "void"}
	case proxy.CustodianChanged:
		if c.Basis == proxy.BasisRepresentative {
			return []string{"release", "part", "void"}
		}
	}
	return append(dictatable(c), "part", "compromised", "void")
}

// dictatable is what the patient may ask staff to do: to end what rests on the
// patient's word alone (LC-10).
func dictatable(c proxy.Case) []string {
	if c.Basis == proxy.BasisDesignated {
		return []string{"dictated"}
	}
	return nil
}

func (h *Handler) person(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	c, err := h.Life.ForStaff(r.Context(), h.Actor(r, id), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	page := pages.ProxyPerson{
		Frame: h.Frame(r, id, Path), Reader: "staff", Line: h.line(r.Context(), c), Documents: c.Proofing.Documents, Steps: h.Steps(r.Context(), c),
	}
	if c.Open(h.Clock.Now()) && c.Invited.By == id.Person.ID {
		page.Email, page.InviteEnds, page.Code = c.Email, c.InviteEnds, h.Life.Code(c)
	}
	if a := c.Authority; !a.Attested.Zero() {
		page.Authority = &pages.CaseAuthority{
			Kind: a.Kind, Trigger: string(a.Trigger), Verified: a.Verified(), Reviews: a.Reviews, Ends: a.Ends, Determined: len(c.Determined),
			Powers: a.Powers, Disputed: !c.Disputed.Zero(), Place: a.Place, Joint: a.Joint,
		}
	}
	alone, err := h.Life.Invitable(r.Context(), c)
	if err != nil {
		return err
	}
	if alone {
		page.Acts = append(page.Acts, pages.CaseAct{Key: "teen", URL: h.Session.Path("/staff/bedside") + "?" + url.Values{"patient": {c.Patient}}.Encode()})
	}
	for _, act := range acts(c, h.Clock.Now()) {
		page.Acts = append(page.Acts, pages.CaseAct{Key: act, URL: page.Line.URL + "/" + act})
	}
	if proxy.Fileable(c.At(h.Clock.Now())) || len(c.Papers) > 0 {
		page.Acts = append(page.Acts, pages.CaseAct{Key: "papers", URL: page.Line.URL + "/papers"})
	}
	page.Papers = len(c.Papers)
	if state := c.At(h.Clock.Now()); state == proxy.StateActive || state == proxy.StateSuspended {
		page.Acts = append(page.Acts, pages.CaseAct{Key: "matter", URL: h.Session.Path("/staff/matters/open/" + c.ID)})
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// asked loads the case of a question about an act that fits now.
func (h *Handler) asked(r *http.Request, id session.Identity) (proxy.Case, string, error) {
	c, err := h.Life.ForStaff(r.Context(), h.Actor(r, id), mux.Vars(r)["id"])
	act := mux.Vars(r)["act"]
	if err == nil && h.deeds()[act] == nil {
		err = errs.New(errs.NotFound, "page-not-found", "There is no such page.")
	}
	if err == nil && !slices.Contains(acts(c, h.Clock.Now()), act) {
		err = errs.New(errs.Conflict, "proxy-step", "This step does not fit where things stand. Somebody may have been faster.")
	}
	return c, act, err
}

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	c, act, err := h.asked(r, id)
	if err == nil {
		h.question(w, r, id, c, act, http.StatusOK)
	}
	return err
}

func (h *Handler) question(w http.ResponseWriter, r *http.Request, id session.Identity, c proxy.Case, act string, status int, faults ...pages.FieldError) {
	page := pages.ProxyAct{
		Frame: h.Frame(r, id, Path+"/"+c.ID), Act: act, Who: c.Name, Patient: h.line(r.Context(), c).Patient,
		Fields: h.fields(r, act, c), Version: c.Revision(),
	}
	page.Errors = faults
	h.Kit.Render(w, r, status, page)
}

func (h *Handler) act(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	c, act, err := h.asked(r, id)
	if err != nil {
		return err
	}
	if r.PostFormValue("answer") == "yes" {
		if err := desk.Current(r, c.Revision()); err != nil {
			return err
		}
		err := h.deeds()[act](r.Context(), h.Actor(r, id), c.ID, r)
		if err != nil {
			f, ok := faults()[errs.As(err).Code]
			if ok {
				h.question(w, r, id, c, act, http.StatusBadRequest, f)
				return nil
			}
			return err
		}
	}
	http.Redirect(w, r, h.Session.Path(Path+"/"+c.ID), http.StatusSeeOther)
	return nil
}
