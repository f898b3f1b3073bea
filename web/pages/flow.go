package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// PickPatient asks whose record is meant. Posts: patient (the chosen Value), or
// answer=cancel for "Not now". A clinician searches by GET with q.
type PickPatient struct {
	Frame
	// Action is the POST target; empty means the page's own URL.
	Action string
	// AppName is the app that waits; empty outside a launch.
	AppName string
	// Choices are what may be chosen; the first is not ticked beforehand.
	Choices []PatientChoice
	// Selected is the Value that was chosen before; empty for none.
	Selected string
	// Search shows a search field (clinicians); Query keeps what was typed.
	Search bool
	Query  string
	// SearchURL is the GET target of the search; empty means the same URL.
	SearchURL string
	// More says that only the first matches are listed.
	More bool
}

// PatientChoice is one record to choose.
type PatientChoice struct {
	// Value is what the form posts: a token, never a guessable id.
	Value string
	// Name of the patient.
	Name string
	// Self marks the person's own record.
	Self bool
	// Relation is the person's relationship code to the patient (DAUC …).
	Relation string
	// Gender is the patient's FHIR gender; it chooses "his" or "her". Optional.
	Gender string
	// BirthDate is a FHIR date (2006, 2006-01 or 2006-01-02); clinicians only.
	BirthDate string
	// RecordNumber is the medical record number; clinicians only.
	RecordNumber string
	// Until is when the access ends (UTC); zero if it does not.
	Until time.Time
	// Deceased chooses the wording for a patient who has died.
	Deceased bool
}

// Template names the page.
func (PickPatient) Template() string { return "pick-patient" }

// PickEncounter asks which visit is meant. Posts: encounter, or answer=cancel.
type PickEncounter struct {
	Frame
	// Action is the POST target; empty means the page's own URL.
	Action string
	// AppName is the app that waits.
	AppName string
	// Patient is the name of the patient.
	Patient string
	Choices []EncounterChoice
	// Selected is the Value that was chosen before; empty for none.
	Selected string
}

// EncounterChoice is one visit to choose.
type EncounterChoice struct {
	// Value is what the form posts.
	Value string
	// Label says what kind of visit, as the hospital wrote it.
	Label string
	// Place and With are optional names of place and practitioner.
	Place, With string
	// Start and End of the visit (UTC); a zero End means still open.
	Start, End time.Time
}

// Template names the page.
func (PickEncounter) Template() string { return "pick-encounter" }

// Done tells that the work is done and how to go back to the app. It is for
// apps that cannot be reached by a plain redirect, and for refusals.
type Done struct {
	Frame
	// AppName is the app; Allowed what the person answered.
	AppName string
	Allowed bool
	// ReturnURL leads back to the app; empty means "close this window".
	ReturnURL string
	// OnDevice: the app runs on another screen, which goes on by itself.
	OnDevice bool
}

// Template names the page.
func (Done) Template() string { return "done" }

func (p Done) titleKey(*words.Catalogue, string) (string, words.Args) {
	if p.OnDevice {
		return "done.device_title", nil
	}
	return "done.title", nil
}
