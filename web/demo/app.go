package demo

import (
	"encoding/json"
	"net/http"
	"strings"
)

// preset is one choice of what the app asks for.
type preset struct {
	ID, Text, Hint, Scope string
	Chosen                bool
}

// who is what every preset asks for beside the data.
const who = "launch/patient openid fhirUser offline_access "

const observationCategory = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|"

// presets show the forms that scopes have (SMART SCP-01, SCP-03, SCP-06).
func presets() []preset {
	return []preset{
		{ID: "all", Text: "Read everything I allow", Hint: "All kinds of data", Scope: who + "patient/*.rs"},
		{ID: "medicines", Text: "Medicines only", Hint: "Name, date of birth and medicines", Scope: who + "patient/Patient.rs patient/MedicationRequest.rs"},
		{ID: "granular", Text: "Test results and vital signs only", Hint: "Granular: two categories of measurements", Scope: who + "patient/Patient.rs " + observationCategory + "laboratory " + observationCategory + "vital-signs"},
		{ID: "v1", Text: "Read everything, asked in the old way", Hint: "v1 scopes, as older apps send them", Scope: who + "patient/*.read"},
		{ID: "write", Text: "Read messages, and send one", Hint: "Also writes into the record", Scope: who + "patient/Patient.rs patient/Communication.crs"},
	}
}

// ehrScope is what the app asks for when the EHR opens it.
const ehrScope = "launch openid fhirUser offline_access patient/*.rs"

// kinds are the types that the app tries to read, in the order shown.
func kinds() []string {
	return []string{
		"Patient", "Condition", "MedicationRequest", "MedicationDispense", "AllergyIntolerance", "Observation", "DiagnosticReport",
		"Immunization", "Procedure", "DocumentReference", "Encounter", "Appointment", "CarePlan", "CareTeam", "Goal", "ServiceRequest",
		"Device", "QuestionnaireResponse", "Communication", "Coverage", "RelatedPerson", "Consent",
	}
}

// told is what people read about one error code.
type told struct{ Code, What, Do string }

// reasons puts the errors of RFC 6749 §4.1.2.1 and §5.2, and those the app
// finds itself, into words.
func reasons() []told {
	const again = "Press “Connect my record” and try once more."
	const maker = "This is a fault of the app. Tell its maker the words under technical details."
	return []told{
		{"access_denied", "Access to the health record was not allowed.", "Nothing was shared. " + again},
		{"invalid_scope", "The health record does not offer what the app asked for.", "Choose another line under “What should Heart Diary ask for?”."},
		{"invalid_request", "The health record did not accept the app’s question.", maker},
		{"unauthorized_client", "The health record does not let this app ask.", maker},
		{"unsupported_response_type", "The health record does not answer in the way the app asked for.", maker},
		{"invalid_client", "The health record does not know this app.", maker},
		{"invalid_grant", "The access was used already, has ended, or was withdrawn.", again},
		{"server_error", "The health record has a problem.", "Wait a few minutes. " + again},
		{"temporarily_unavailable", "The health record cannot answer now.", "Wait a few minutes. " + again},
		{"no_answer", "The health record did not answer.", "Check your connection to the internet. " + again},
		{"no_configuration", "The health record did not say how to connect to it.", "Wait a few minutes. " + again},
		{"no_token", "The health record did not give access.", again},
		{"not_revoked", "The health record could not end the access.", "Open “Connected apps” on the health record’s own page and end it there."},
		{"state_mismatch", "This answer does not belong to a question asked in this window.", "Nothing was read. " + again},
		{"issuer_mismatch", "The answer came from another server than the one that was asked.", "Nothing was read. " + again},
		{"identity", "The health record’s word about who you are could not be checked.", "Nothing was read. " + again},
		{"not_secure", "This page was opened over a connection that browsers do not trust.", "Open Heart Diary by its https or localhost address."},
		{"launch_elsewhere", "Heart Diary was opened for another health record than the one it works with.", "Open it from the hospital’s own system."},
		{"launch_missing", "Heart Diary was opened without the word that says for whom.", "Open it from the hospital’s own system once more."},
		{"launch_used", "This link was used before, is too old, or was made for another app.", "Open Heart Diary from the hospital’s own system once more."},
		{"app_fault", "Heart Diary made a mistake.", "Load the page again."},
		{"other", "The health record refused.", again},
	}
}

type appPage struct {
	frame
	FHIRBase, ClientID, Callback, EHRScope, Kinds, OwnScopes string
	Presets                                                  []preset
	Reasons                                                  []told
}

// app serves the one page of the app; its script sees from the path whether it
// was opened by a person, by an EHR or by the redirect back. The query may
// choose the preset or bring own scopes, for links and tests.
func (s *server) app(w http.ResponseWriter, r *http.Request) {
	list, err := json.Marshal(kinds())
	if err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	page := appPage{
		frame: frame{Title: "Your record", Product: "Heart Diary", Script: true, Nav: []link{
			{URL: "/app/", Text: "Start", Current: r.URL.Path == "/app/"}, {URL: "/ehr/", Text: "EHR simulator"},
		}},
		FHIRBase: s.cfg.FHIRBase, ClientID: s.cfg.AppClientID, Callback: s.callbackURL(), EHRScope: ehrScope,
		Kinds: string(list), OwnScopes: r.URL.Query().Get("scope"), Presets: presets(), Reasons: reasons(),
	}
	chosen := 0
	for i, p := range page.Presets {
		if p.ID == r.URL.Query().Get("preset") {
			chosen = i
		}
	}
	page.Presets[chosen].Chosen = true
	s.render(w, http.StatusOK, "app", s.appPolicy, page)
}

func (s *server) callbackURL() string { return s.cfg.Base + "/app/callback" }

// callback serves the app's page, except when the simulator asked for the
// code to make something go wrong with it.
func (s *server) callback(w http.ResponseWriter, r *http.Request) {
	if id, ok := strings.CutPrefix(r.URL.Query().Get("state"), faultState); ok {
		s.faultReturn(w, r, id)
		return
	}
	s.app(w, r)
}
