package demo

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// basic gives the header of HTTP Basic with the form-encoding of RFC 6749
// §2.3.1.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

type patientsPage struct {
	frame
	Query    string
	Patients []Patient
}

// patients lists the patients whose name or id has the searched text.
func (s *server) patients(w http.ResponseWriter, r *http.Request) {
	all, err := s.cfg.Patients(r.Context())
	if err != nil {
		s.trouble(w, r, http.StatusBadGateway, "The list of patients is not there", "The health record server did not give its patients.", "Wait a moment and load the page again.")
		return
	}
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	found := slices.DeleteFunc(slices.Clone(all), func(p Patient) bool {
		return !strings.Contains(strings.ToLower(p.Name+" "+p.ID), strings.ToLower(q))
	})
	s.render(w, http.StatusOK, "patients", s.ehrPolicy, patientsPage{ehrFrame("Choose a patient", "/ehr/"), q, found})
}

// fields are what the launch form holds.
type fields struct {
	App, ClientID, User, Encounter, Banner, Intent, FHIRContext string
	Style                                                       bool
}

type fieldError struct{ Field, Text string }

type launchPage struct {
	frame
	Patient Patient
	Users   []User
	Apps    []App
	In      fields
	Errors  []fieldError
	// Show keeps the wish to see the link instead of following it.
	Show bool
}

func (s *server) launchForm(w http.ResponseWriter, r *http.Request) {
	patient, ok := s.patient(w, r, r.URL.Query().Get("patient"))
	if !ok {
		return
	}
	in := fields{Encounter: patient.Encounter, App: r.URL.Query().Get("app")}
	if len(s.cfg.Users) > 0 {
		in.User = s.cfg.Users[0].Reference
	}
	s.showLaunch(w, r, http.StatusOK, patient, in, nil)
}

func (s *server) showLaunch(w http.ResponseWriter, r *http.Request, status int, p Patient, in fields, errs []fieldError) {
	s.render(w, status, "launch", s.ehrPolicy, launchPage{
		frame: ehrFrame("Open an app", ""), Patient: p, Users: s.cfg.Users, Apps: s.cfg.Apps, In: in, Errors: errs,
		Show: r.URL.Query().Has("show"),
	})
}

// patient finds a patient of the list; it has answered when it reports false.
func (s *server) patient(w http.ResponseWriter, r *http.Request, id string) (Patient, bool) {
	all, err := s.cfg.Patients(r.Context())
	if err != nil {
		s.trouble(w, r, http.StatusBadGateway, "The list of patients is not there", "The health record server did not give its patients.", "Wait a moment and load the page again.")
		return Patient{}, false
	}
	i := slices.IndexFunc(all, func(p Patient) bool { return p.ID == id })
	if i < 0 {
		s.trouble(w, r, http.StatusNotFound, "No such patient", "No patient has this number.", "Go back to the list of patients and choose one.")
		return Patient{}, false
	}
	return all[i], true
}

type ticketPage struct {
	frame
	Ticket   ticket
	Exchange exchange
}

// launch registers the chosen context and opens the app: by a redirect, as a
// page with the link (?show=1), or as JSON for programs.
func (s *server) launch(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		s.trouble(w, r, http.StatusBadRequest, "The form was not understood", "The form could not be read.", "Go back to the list of patients and begin again.")
		return
	}
	patient, ok := s.patient(w, r, r.PostForm.Get("patient"))
	if !ok {
		return
	}
	in := readFields(r.PostForm)
	reg, errs := s.registration(patient, in)
	if len(errs) > 0 {
		if wantsJSON(r) {
			writeJSON(w, http.StatusBadRequest, map[string]any{"error": errs[0].Text})
			return
		}
		s.showLaunch(w, r, http.StatusBadRequest, patient, in, errs)
		return
	}
	t, x := s.register(r.Context(), reg)
	known := slices.ContainsFunc(s.cfg.Apps, func(a App) bool { return a.ClientID == reg.ClientID })
	switch status := http.StatusOK; {
	case wantsJSON(r):
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(statusOr(x.Status, http.StatusBadGateway))
		_, _ = w.Write([]byte(x.Body))
	// The page's policy lets forms lead to known apps only; others get a link.
	case t.LaunchURL != "" && known && !r.URL.Query().Has("show"):
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.Redirect(w, r, t.LaunchURL, http.StatusSeeOther)
	default:
		title := "The app is ready to be opened"
		if t.Launch == "" {
			status, title = http.StatusBadGateway, "The app could not be opened"
		}
		x.Sent = ""
		s.render(w, status, "ticket", s.ehrPolicy, ticketPage{ehrFrame(title, ""), t, x})
	}
}

func readFields(v url.Values) fields {
	get := func(name string) string { return strings.TrimSpace(v.Get(name)) }
	return fields{
		App: get("app"), ClientID: get("client_id"), User: get("user"), Encounter: get("encounter"),
		Banner: get("need_patient_banner"), Intent: get("intent"), FHIRContext: get("fhirContext"), Style: get("style") != "",
	}
}

// registration turns the form into what Mandate is sent. Only what cannot be
// written as JSON at all is refused here: judging the rest is Mandate's part.
func (s *server) registration(p Patient, in fields) (registration, []fieldError) {
	reg := registration{ClientID: in.App, User: in.User, Patient: p.ID, Encounter: in.Encounter, Intent: in.Intent}
	if in.ClientID != "" {
		reg.ClientID = in.ClientID
	}
	if reg.ClientID == "" {
		reg.ClientID = s.cfg.AppClientID
	}
	if in.Style {
		reg.StyleURL = s.styleURL()
	}
	if in.Banner != "" {
		yes := in.Banner == "true"
		reg.NeedPatientBanner = &yes
	}
	if in.FHIRContext != "" {
		var list []json.RawMessage
		if json.Unmarshal([]byte(in.FHIRContext), &list) != nil {
			return registration{}, []fieldError{{"fhirContext", "Other things that are open: write a list in JSON, or leave it empty."}}
		}
		reg.FHIRContext = json.RawMessage(in.FHIRContext)
	}
	return reg, nil
}

type troublePage struct {
	frame
	What, Do string
}

func (s *server) trouble(w http.ResponseWriter, r *http.Request, status int, title, what, do string) {
	if wantsJSON(r) {
		writeJSON(w, status, map[string]any{"error": what})
		return
	}
	s.render(w, status, "trouble", s.ehrPolicy, troublePage{ehrFrame(title, ""), what, do})
}

// wantsJSON reports whether a program asks: browsers always name text/html.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a reader that has gone away needs no answer
}

func statusOr(status, otherwise int) int {
	if status == 0 {
		return otherwise
	}
	return status
}
